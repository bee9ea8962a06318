//! State that both directions of a connection share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::connections::Connection;
use super::packet_ids::PacketIds;
use super::publish_rate::PublishRate;
use crate::account::CertificateId;
use crate::cloud::Cloud;
use crate::mqtt::{Protocol, topic};
use crate::policy::{Context, Decision};

/// State that both directions of a connection share.
pub(super) struct Session {
    pub(super) cloud: Arc<Cloud>,
    pub(super) protocol: Protocol,
    pub(super) client_id: String,
    pub(super) certificate: CertificateId,
    pub(super) connection: Connection,
    /// `sessionIdentifier` of lifecycle events.
    pub(super) identifier: String,
    /// `versionNumber` of lifecycle events: the number of the client's connection.
    pub(super) version: u64,
    pub(super) silence: Duration,
    pub(super) session_expiry_limit: u32,
    /// Whether the session existed before the connection, with subscriptions that this connection does not know.
    pub(super) is_resumed: bool,
    pub(super) state: Mutex<State>,
    pub(super) context: Context,
}

#[derive(Default)]
pub(super) struct State {
    /// QoS 1 messages from the client that were not acknowledged yet.
    pub(super) unacknowledged: HashSet<u16>,
    /// Topic and payload of messages whose acknowledgement is to be reported.
    pub(super) unreported_acknowledgements: HashMap<u16, (String, Bytes)>,
    /// Topic and payload of messages to the client whose acknowledgement is to be told.
    pub(super) delivering: HashMap<u16, (String, Bytes)>,
    /// Packet identifiers of messages to the client.
    pub(super) packet_ids: PacketIds,
    pub(super) aliases: HashMap<u16, String>,
    pub(super) subscriptions: HashSet<String>,
    /// SUBSCRIBE packets that await the broker's answer.
    pub(super) subscribing: HashMap<u16, Subscribing>,
    /// The filters of UNSUBSCRIBE packets that await the broker's answer.
    pub(super) unsubscribing: HashMap<u16, Vec<String>>,
    pub(super) packets: u64,
    pub(super) publish_rate: Option<PublishRate>,
}

/// A SUBSCRIBE that was sent to the broker.
pub(super) struct Subscribing {
    /// For each filter, the code with which it was refused without asking the broker.
    pub(super) refused: Vec<Option<u8>>,
    /// The filters that were sent to the broker.
    pub(super) filters: Vec<String>,
}

impl Session {
    /// Returns whether a subscription of the session matches this topic.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        let matches = |filter: &String| topic::matches(filter, topic);
        self.is_resumed || self.state.lock().subscriptions.iter().any(matches)
    }

    /// Publishes the lifecycle event for these filters; `verb` is `subscribed` or `unsubscribed`.
    pub(super) fn tell_subscriptions(&self, verb: &str, filters: &[String]) {
        let lifecycle = &self.cloud.lifecycle;
        lifecycle.subscriptions(&self.connection, &self.identifier, verb, filters);
    }

    pub(super) fn decide(&self, action: &str, kind: &str, name: &str) -> Decision {
        self.cloud
            .decide(&self.client_id, &self.certificate, &self.context, action, (kind, name))
    }
}
