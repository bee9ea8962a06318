//! The gateway as AWS sees it, according to the cloudlet's events.

use cloudlet::{Cloudlet, Endpoint, Event};

use crate::support::{SOON, THING};

/// Returns the number of events so far, to be passed to the other functions as `mark`.
pub fn mark(cloud: &Cloudlet) -> usize {
    cloud.events().len()
}

/// Waits for the first connection after `mark`; returns whether its session was resumed.
pub fn session_present(cloud: &Cloudlet, mark: usize) -> bool {
    let event = cloud.wait_for_after(
        mark,
        SOON,
        |event| matches!(event, Event::Connected { client_id, .. } if client_id == THING),
    );
    match event {
        Ok(Event::Connected { session_present, .. }) => session_present,
        other => panic!("no connection: {other:?}\n{:#?}", cloud.events().get(mark..)),
    }
}

/// Waits until an accepted connection has ended; returns the reason.
pub fn end_of_connection(cloud: &Cloudlet, mark: usize) -> String {
    let event = cloud.wait_for_after(
        mark,
        SOON,
        |event| matches!(event, Event::Disconnected { client_id, .. } if client_id == THING),
    );
    match event {
        Ok(Event::Disconnected { reason, .. }) => reason,
        other => panic!("no end of a connection: {other:?}"),
    }
}

/// Returns the number of certificates in each MQTT handshake after `mark`.
pub fn chains(cloud: &Cloudlet, mark: usize) -> Vec<usize> {
    let handshake = |event: Event| match event {
        Event::TlsAccepted {
            endpoint: Endpoint::Mqtt,
            chain,
            ..
        } => Some(chain),
        _ => None,
    };
    cloud.events().into_iter().skip(mark).filter_map(handshake).collect()
}

/// Returns the number of CONNECTs after `mark`.
pub fn connects(cloud: &Cloudlet, mark: usize) -> usize {
    let events = cloud.events();
    let connects = |event: &&Event| matches!(event, Event::ConnectReceived { client_id, .. } if client_id == THING);
    events.iter().skip(mark).filter(connects).count()
}

/// Returns the reasons why CONNECTs were refused after `mark`.
pub fn refusals(cloud: &Cloudlet, mark: usize) -> Vec<String> {
    let refusal = |event: Event| match event {
        Event::ConnectRefused { reason, .. } => Some(reason),
        _ => None,
    };
    cloud.events().into_iter().skip(mark).filter_map(refusal).collect()
}
