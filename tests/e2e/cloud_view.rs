//! The gateway as AWS sees it, told by the cloudlet's events.

use cloudlet::{Cloudlet, Endpoint, Event};

use crate::support::{SOON, THING};

/// The number of events so far, as the mark for later questions.
pub fn mark(cloud: &Cloudlet) -> usize {
    cloud.events().len()
}

/// Waits for the first connection after `mark`; whether its session was resumed.
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

/// Waits until a connection that had been accepted is over; how it ended.
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

/// The number of certificates in each MQTT handshake after `mark`.
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

/// The number of CONNECTs after `mark`.
pub fn connects(cloud: &Cloudlet, mark: usize) -> usize {
    let events = cloud.events();
    let connects = |event: &&Event| matches!(event, Event::ConnectReceived { client_id, .. } if client_id == THING);
    events.iter().skip(mark).filter(connects).count()
}

/// Why CONNECTs were not let in, after `mark`.
pub fn refusals(cloud: &Cloudlet, mark: usize) -> Vec<String> {
    let refusal = |event: Event| match event {
        Event::ConnectRefused { reason, .. } => Some(reason),
        _ => None,
    };
    cloud.events().into_iter().skip(mark).filter_map(refusal).collect()
}
