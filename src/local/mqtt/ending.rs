//! The end of a connection: its journal line, its will, its session.

use tokio::task::spawn_local;

use super::client::Client;
use super::registry::DisconnectedSession;
use super::session::Session;
use super::subscribe::ClientSubscriptions;
use super::will;
use crate::mqtt::{Close, CloseCause, ReasonCode};

/// Cleans up after a connection.
pub(super) fn end(mut client: Client, close: Option<Close>) {
    let (Some(close), name) = (close, client.name()) else {
        return;
    };
    let log = &client.context.mqtt.log;
    match &close.cause {
        CloseCause::Protocol(_) | CloseCause::KeepAlive | CloseCause::ClientTooNarrow => {
            log.cut_client(&name, &close.cause.to_string());
        }
        // A refused request has a journal line of its own.
        CloseCause::Refused(_) => log.cut_client(&name, "MQTT 3.1.1 has no other answer to a request that is refused"),
        cause => log::debug!("local-mqtt: {name}: {cause}"),
    }
    let Some(session) = client.session.take() else { return };
    let Session {
        principal,
        subscriptions,
        mut deliveries,
        ..
    } = session;
    let key = &principal.key;
    let is_current = client.context.mqtt.registry.disconnect(key, &client.mailbox);
    // Programs reconnect at once when gatepost restarts, so publishing their wills would be wrong.
    let is_ending = matches!(close.cause, CloseCause::ByServer(ReasonCode::SERVER_SHUTTING_DOWN));
    if let Some(due) = close.will.filter(|_| !is_ending) {
        will::publish_due(&principal, due);
    }
    let ClientSubscriptions { inbox, filters, .. } = subscriptions;
    let Some(name) = inbox.durable_name().map(str::to_owned) else {
        return;
    };
    let (context, expiry) = (client.context.clone(), close.session_expiry);
    if is_current && expiry > 0 {
        let session = DisconnectedSession {
            sent: Some(deliveries.watermark()),
            own: filters.own,
        };
        context.mqtt.registry.keep(key.as_ref().clone(), session);
    }
    let (key, done) = (key.clone(), deliveries.take_done());
    spawn_local(async move {
        if !done.is_empty() {
            context.inbox.acknowledge_stored(&name, done).await;
        }
        // A later connection of the same client may already have the session.
        if is_current && !context.mqtt.registry.is_connected(&key) {
            context.inbox.leave_session(&name, expiry).await;
        }
    });
}
