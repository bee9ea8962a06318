//! rumqttc-v5-next refuses a present session that its own memory does not know (`SessionStateMismatch`), which is what
//! every restart of the daemon meets; its "broker only" policy then rejects every QoS 1 publish and subscription. So it is
//! told a white lie: there was a session, and nothing was in flight. The outbox knows better.

use std::pin::Pin;

use rumqttc_next::{PersistedAckMode, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey};

use crate::candidate::{SESSION_EXPIRY, WINDOW};

/// The crate has this alias, but does not export it.
type SessionStoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

#[derive(Debug)]
pub struct Empty;

impl SessionStore for Empty {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> SessionStoreFuture<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(SESSION_EXPIRY),
            outgoing_inflight_upper_limit: Some(WINDOW),
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(async { Ok(Some(session)) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> SessionStoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> SessionStoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
