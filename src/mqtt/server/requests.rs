//! The packets of a client that wait for an answer.

use std::collections::BTreeMap;

use crate::mqtt::{ProtocolError, ProtocolVersion, ReasonCode};

/// Maximum number of a client's SUBSCRIBE and UNSUBSCRIBE packets that wait for their answers; no further packet is read meanwhile.
pub const MAX_REQUESTS: usize = 16;
/// Maximum number of bytes of a client's requests that wait for answers before nothing more is read from it. A hundred messages of the
/// maximum size, which the Receive Maximum allows, would be 15 MB.
pub const MAX_UNANSWERED: usize = 1024 * 1024;

/// A packet of the client that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Publish,
    /// A SUBSCRIBE with this number of filters.
    Subscribe(usize),
    /// An UNSUBSCRIBE with this number of filters.
    Unsubscribe(usize),
}

/// The unanswered packets of a client.
#[derive(Debug)]
pub(super) struct Requests {
    version: ProtocolVersion,
    /// Maximum number of messages among them.
    receive_maximum: u16,
    /// By the packet identifiers that the client has chosen, with their sizes.
    unanswered: BTreeMap<u16, (Request, usize)>,
    /// The sum of these sizes.
    bytes: usize,
    /// The number of messages among them.
    publishes: usize,
}

impl Requests {
    pub(super) fn new(version: ProtocolVersion, receive_maximum: u16) -> Self {
        Self {
            version,
            receive_maximum: receive_maximum.max(1),
            unanswered: BTreeMap::new(),
            bytes: 0,
            publishes: 0,
        }
    }

    /// Records a packet until it is answered.
    ///
    /// # Errors
    /// If its packet identifier is in use, or it exceeds the Receive Maximum.
    pub(super) fn begin(&mut self, packet_id: u16, request: Request, size: usize) -> Result<(), ProtocolError> {
        let is_publish = request == Request::Publish;
        if is_publish && self.version == ProtocolVersion::V5 && self.is_full() {
            return Err(ProtocolError::with_code(
                ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
                "MQTT-3.3.4-7",
                "more unacknowledged messages than the Receive Maximum",
            ));
        }
        if self.unanswered.contains_key(&packet_id) {
            return Err(ProtocolError::forbidden(
                self.version.cite("MQTT-2.2.1-3", "MQTT-2.3.1-2"),
                "a packet identifier that is in use",
            ));
        }
        self.unanswered.insert(packet_id, (request, size));
        self.bytes += size;
        self.publishes += usize::from(is_publish);
        Ok(())
    }

    /// Removes a packet that is about to be answered; `None` if no packet of this kind has the identifier.
    pub(super) fn end(&mut self, packet_id: u16, is: impl Fn(Request) -> bool) -> Option<Request> {
        let (request, size) = *self.unanswered.get(&packet_id)?;
        if !is(request) {
            return None;
        }
        self.unanswered.remove(&packet_id);
        self.bytes -= size;
        self.publishes -= usize::from(request == Request::Publish);
        Some(request)
    }

    /// Returns whether a message with this packet identifier waits for PUBACK.
    pub(super) fn has_publish(&self, packet_id: u16) -> bool {
        matches!(self.unanswered.get(&packet_id), Some((Request::Publish, _)))
    }

    /// Returns whether no packet is read until one of them is answered.
    pub(super) fn is_blocking(&self) -> bool {
        // MQTT 5 clients know the Receive Maximum, and exceed it at their own risk.
        let full = self.version == ProtocolVersion::V3_1_1 && self.is_full();
        let others = self.unanswered.len() - self.publishes;
        full || others >= MAX_REQUESTS || self.bytes >= MAX_UNANSWERED
    }

    /// Returns whether the maximum number of messages wait for PUBACK.
    fn is_full(&self) -> bool {
        self.publishes >= usize::from(self.receive_maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maximum_of_messages_is_an_error_in_mqtt_5_and_makes_mqtt_3_wait() {
        for (version, receive_maximum, accepted, is_blocking) in [
            (ProtocolVersion::V5, 2, 2, false),
            (ProtocolVersion::V5, 0, 1, false),
            (ProtocolVersion::V3_1_1, 2, 9, true),
            (ProtocolVersion::V3_1_1, 0, 9, true),
        ] {
            let mut requests = Requests::new(version, receive_maximum);
            let begun: Vec<_> = (1..10)
                .map(|id| requests.begin(id, Request::Publish, 1))
                .take_while(Result::is_ok)
                .collect();
            assert_eq!(begun.len(), accepted, "{version:?} {receive_maximum}");
            assert_eq!(requests.is_blocking(), is_blocking, "{version:?} {receive_maximum}");
            // Another kind of request has a limit of its own.
            assert_eq!(requests.begin(100, Request::Subscribe(1), 1), Ok(()));
        }
    }

    #[test]
    fn nothing_is_read_while_too_many_requests_or_bytes_wait() {
        let subscribe = |id: usize| (u16::try_from(id + 1).unwrap(), Request::Subscribe(1), 10);
        let publish = |size| (1, Request::Publish, size);
        for (begun, is_blocking) in [
            (vec![], false),
            ((0..MAX_REQUESTS - 1).map(subscribe).collect(), false),
            ((0..MAX_REQUESTS).map(subscribe).collect(), true),
            (vec![publish(MAX_UNANSWERED - 1)], false),
            (vec![publish(MAX_UNANSWERED)], true),
        ] {
            let mut requests = Requests::new(ProtocolVersion::V5, 100);
            for (id, request, size) in &begun {
                requests.begin(*id, *request, *size).unwrap();
            }
            assert_eq!(requests.is_blocking(), is_blocking, "{} requests", begun.len());
            // One answer is enough.
            if let Some((id, request, _)) = begun.first() {
                assert_eq!(requests.end(*id, |_| true), Some(*request));
            }
            assert!(!requests.is_blocking());
        }
    }

    #[test]
    fn an_answer_ends_the_request_of_its_kind_once() {
        let mut requests = Requests::new(ProtocolVersion::V5, 1);
        assert_eq!(requests.begin(1, Request::Publish, 5), Ok(()));
        assert!(requests.has_publish(1) && !requests.has_publish(2));
        let used = requests.begin(1, Request::Unsubscribe(1), 5).unwrap_err();
        assert_eq!(used.statement, "MQTT-2.2.1-3");
        assert_eq!(requests.end(1, |request| request != Request::Publish), None);
        assert_eq!(requests.end(2, |_| true), None);
        assert_eq!(
            requests.end(1, |request| request == Request::Publish),
            Some(Request::Publish)
        );
        assert_eq!(requests.end(1, |_| true), None);
        assert_eq!((requests.bytes, requests.publishes), (0, 0));
        // The packet identifier and the place are free again.
        assert_eq!(requests.begin(1, Request::Publish, 5), Ok(()));
    }
}
