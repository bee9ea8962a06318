//! The end of a connection: its journal line, its will, its session.

use tokio::task::spawn_local;

use super::client::{Client, Session};
use super::registry::Kept;
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
    let is_current = client.context.mqtt.registry.disconnect(&session.key, &client.mailbox);
    // Programs reconnect at once when gatepost restarts, so publishing their wills would be wrong.
    let is_ending = matches!(close.cause, CloseCause::ByServer(ReasonCode::SERVER_SHUTTING_DOWN));
    if let Some(due) = close.will.filter(|_| !is_ending) {
        will::publish_due(&client.context, &session, due);
    }
    let Some(name) = session.inbox.durable_name().map(str::to_owned) else {
        return;
    };
    let Session { key, stored, own, .. } = session;
    let (context, expiry, sent) = (client.context.clone(), close.session_expiry, Some(stored.watermark()));
    if is_current && expiry > 0 {
        context.mqtt.registry.keep(key.as_ref().clone(), Kept { sent, own });
    }
    spawn_local(async move {
        if !stored.done.is_empty() {
            context.inbox.acknowledge_stored(&name, stored.done).await;
        }
        // A later connection of the same client may already have the session.
        if is_current && !context.mqtt.registry.is_connected(&key) {
            context.inbox.leave_session(&name, expiry).await;
        }
    });
}
