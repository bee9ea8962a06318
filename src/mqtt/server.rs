//! The server's side of one connection: which packet may come when, which packet identifiers are in use, how much may be under
//! way, and when the client counts as gone.
//!
//! # How a listener drives it
//!
//! A [`Server`] has no socket, clock or store. Its driver
//!
//! 1. reads from the socket into a buffer, and calls [`next`](Server::next) until it returns `None`. It reads no more while the
//!    buffer holds a whole packet of the greatest size ([`MAX_PACKET`](super::MAX_PACKET)): then the server waits for an answer;
//! 2. decides about each [`Action`] and answers through a method: [`accept`](Server::accept) or [`refuse`](Server::refuse),
//!    [`puback`](Server::puback), [`suback`](Server::suback), [`unsuback`](Server::unsuback). Answers may come at any later time
//!    and in any order; afterwards it calls `next` again, as packets may have waited for them;
//! 3. sends messages with [`deliver`](Server::deliver), and those of a resumed session with [`redeliver`](Server::redeliver) first;
//! 4. writes [`output`](Server::output) to the socket whenever there is some;
//! 5. calls [`check_time`](Server::check_time) at the [`deadline`](Server::deadline), and [`lost`](Server::lost) where the socket
//!    ends;
//! 6. closes the socket after [`Action::Close`], once the output is written or will not be. It publishes the will, and keeps or
//!    discards the session as [`Close`] says, with the packet identifiers that are [`in_flight`](Server::in_flight). A second
//!    [`Close`] means nothing.
//!
//! The cost of a client is bounded: a packet by [`MAX_PACKET`](super::MAX_PACKET), unanswered messages by the Receive Maximum
//! and [`MAX_UNANSWERED`], other unanswered requests by [`MAX_REQUESTS`], the output by [`MAX_OUTPUT`] and one packet. A client
//! that does not read what it is sent is not read either; how long that may last is for the driver to say, who sees the socket.

mod action;
mod connect;
mod deliver;
mod delivery;
mod end;
mod receive;
mod respond;
mod terms;

pub use action::{Action, Close, CloseCause, DueWill, SESSION_NEVER_EXPIRES};
pub use delivery::{Delivery, NotDelivered};
pub use terms::{Acceptance, ServerOptions};

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use tokio::time::Instant;

use super::{Frame, Framer, ProtocolVersion, Sender, decode};
use terms::Terms;

/// Maximum number of a client's SUBSCRIBE and UNSUBSCRIBE packets that wait for their answers; no further packet is read meanwhile.
pub const MAX_REQUESTS: usize = 16;
/// Maximum number of bytes of a client's requests that wait for answers before nothing more is read from it. A hundred messages of the
/// maximum size, which the Receive Maximum allows, would be 15 MB.
pub const MAX_UNANSWERED: usize = 1024 * 1024;
/// Maximum number of bytes that wait to be written before nothing more is read from the client, and no message is sent to it.
pub const MAX_OUTPUT: usize = 64 * 1024;

#[derive(Debug)]
enum Phase {
    /// Nothing was received yet.
    New,
    /// The driver is deciding about CONNECT.
    Connecting(Terms),
    /// CONNECT was accepted.
    Connected(Terms),
    /// No packet is read or written any more.
    Ended,
}

/// A packet of the client that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unanswered {
    Publish,
    /// A SUBSCRIBE or UNSUBSCRIBE with this number of filters.
    Subscribe(usize),
    Unsubscribe(usize),
}

/// The server's side of one connection.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    framer: Framer,
    phase: Phase,
    output: BytesMut,
    /// When the connection began or, after that, when the last packet arrived.
    received: Instant,
    /// Unanswered packets by the packet identifiers that the client has chosen, with their sizes.
    unanswered: BTreeMap<u16, (Unanswered, usize)>,
    /// The sum of these sizes.
    unanswered_bytes: usize,
    /// The number of messages among them.
    unanswered_publishes: usize,
    /// Packet identifiers of messages that were sent on this connection and not acknowledged.
    sent: BTreeSet<u16>,
    /// Packet identifiers of the session's messages that must be sent again.
    reserved: BTreeSet<u16>,
    last_id: u16,
    ignored: u64,
    /// Whether packets were left unread the last time.
    was_held_up: bool,
    /// The end that an answer has caused; `next` returns it.
    due_close: Option<Box<Close>>,
}

impl Server {
    /// Creates a connection that begins now.
    pub fn new(options: ServerOptions, now: Instant) -> Self {
        Self {
            options,
            framer: Framer::new(Sender::Client),
            phase: Phase::New,
            output: BytesMut::new(),
            received: now,
            unanswered: BTreeMap::new(),
            unanswered_bytes: 0,
            unanswered_publishes: 0,
            sent: BTreeSet::new(),
            reserved: BTreeSet::new(),
            last_id: 0,
            ignored: 0,
            was_held_up: false,
            due_close: None,
        }
    }

    /// Reads packets up to one that the driver must decide about; `None` if more bytes or an answer are needed. PINGREQ is answered here.
    pub fn next(&mut self, input: &mut BytesMut, now: Instant) -> Option<Action> {
        loop {
            if let Some(close) = self.due_close.take() {
                return Some(Action::Close(close));
            }
            if matches!(self.phase, Phase::Ended) {
                return None;
            }
            if self.is_held_up() {
                self.was_held_up = true;
                return None;
            }
            // Packets that the client has sent meanwhile were not read, so its silence is counted from now on.
            if std::mem::take(&mut self.was_held_up) {
                self.received = now;
            }
            let frame = match self.framer.next(input) {
                Ok(Some(frame)) => frame,
                Ok(None) => return None,
                Err(error) => return Some(self.protocol_error(error)),
            };
            self.received = now;
            if matches!(self.phase, Phase::New) {
                return Some(self.first(frame));
            }
            let size = match &frame {
                Frame::Packet { body, .. } => body.len(),
                Frame::Oversize { size, .. } => *size,
            };
            let received = decode(frame, Sender::Client, self.version()).and_then(|packet| self.receive(packet, size));
            match received {
                Ok(Some(action)) => return Some(action),
                Ok(None) => {}
                Err(error) => return Some(self.protocol_error(error)),
            }
        }
    }

    /// Returns the bytes to be written. The driver removes what it has written from their beginning.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// Returns whether packets wait for answers of the driver.
    pub fn is_waiting(&self) -> bool {
        match &self.phase {
            Phase::Connecting(_) => true,
            Phase::Connected(terms) => {
                // MQTT 5 clients know the Receive Maximum, and exceed it at their own risk.
                let full = terms.version == ProtocolVersion::V3_1_1 && self.is_full();
                let requests = self.unanswered.len() - self.unanswered_publishes;
                full || requests >= MAX_REQUESTS || self.unanswered_bytes >= MAX_UNANSWERED
            }
            Phase::New | Phase::Ended => false,
        }
    }

    /// Returns whether no packet is read at present, because packets wait for answers of the driver, or output waits for the client to read
    /// it.
    fn is_held_up(&self) -> bool {
        self.is_waiting() || self.output.len() > MAX_OUTPUT
    }

    /// Returns when to call [`check_time`](Self::check_time) next. While no packet is read, the client's silence proves nothing.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::New => Some(self.received + self.options.connect_timeout),
            Phase::Connected(terms) if !terms.keep_alive.is_zero() && !self.is_held_up() => {
                Some(self.received + terms.keep_alive * 3 / 2)
            }
            Phase::Connecting(_) | Phase::Connected(_) | Phase::Ended => None,
        }
    }

    /// Returns whether the maximum number of messages wait for PUBACK.
    fn is_full(&self) -> bool {
        self.unanswered_publishes >= usize::from(self.options.receive_maximum.max(1))
    }

    /// Removes a request that is about to be answered; `None` if no request of this kind has the packet identifier.
    fn end_request(&mut self, packet_id: u16, is: impl Fn(Unanswered) -> bool) -> Option<Unanswered> {
        let (request, _) = self
            .unanswered
            .get(&packet_id)
            .copied()
            .filter(|(request, _)| is(*request))?;
        let (_, size) = self.unanswered.remove(&packet_id)?;
        self.unanswered_bytes -= size;
        self.unanswered_publishes -= usize::from(request == Unanswered::Publish);
        Some(request)
    }

    /// Returns the number of packets that had no effect: repeated messages before their PUBACK, and PUBACKs with a packet identifier that
    /// is not in use.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Returns the client's version; MQTT 5 before it is known.
    pub fn version(&self) -> ProtocolVersion {
        match &self.phase {
            Phase::Connecting(terms) | Phase::Connected(terms) => terms.version,
            Phase::New | Phase::Ended => ProtocolVersion::V5,
        }
    }
}
