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
mod connected;
mod delivery;
mod options;
mod outbound;
mod output;
mod phase;
mod requests;
mod terms;

pub use action::{Action, Close, CloseCause, DueWill, SESSION_NEVER_EXPIRES};
pub use delivery::{Delivery, NotDelivered};
pub use options::ServerOptions;
pub use output::MAX_OUTPUT;
pub use requests::{MAX_REQUESTS, MAX_UNANSWERED};
pub use terms::Acceptance;

use bytes::BytesMut;
use tokio::time::Instant;

use super::{Frame, Framer, Granted, ProtocolVersion, ReasonCode, Sender, codes, decode};
use connect::{put_refusal, read_connect};
use connected::Connected;
use outbound::Outbound;
use output::Output;
use phase::Phase;
use terms::Terms;

/// The server's side of one connection.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    framer: Framer,
    phase: Phase,
    output: Output,
    /// When the connection began or, after that, when the last packet arrived.
    received: Instant,
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
            output: Output::default(),
            received: now,
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
            if matches!(self.phase, Phase::Ended(_)) {
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
                Err(error) => return Some(self.close(CloseCause::Protocol(error))),
            };
            self.received = now;
            let Phase::Connected(connected) = &mut self.phase else {
                return Some(self.receive_connect(frame));
            };
            let size = frame.size();
            let received = decode(frame, Sender::Client, connected.terms.version)
                .map_err(CloseCause::Protocol)
                .and_then(|packet| connected.receive(packet, size, &self.options, &mut self.output));
            match received {
                Ok(Some(action)) => return Some(action),
                Ok(None) => {}
                Err(cause) => return Some(self.close(cause)),
            }
        }
    }

    /// Handles the first packet. A CONNECT that violates the protocol is refused with CONNACK if the client understands one (MQTT-3.1.4-1).
    fn receive_connect(&mut self, frame: Frame) -> Action {
        match read_connect(frame, &self.options) {
            Ok(connect) => {
                self.framer.set_version(connect.version);
                self.phase = Phase::Connecting(Terms::of(&connect, &self.options));
                Action::Connect(connect)
            }
            Err(refused) => {
                refused.answer(&mut self.output);
                self.close(CloseCause::Protocol(refused.error))
            }
        }
    }

    /// Accepts the CONNECT.
    pub fn accept(&mut self, acceptance: Acceptance, now: Instant) {
        let Some(mut terms) = self.phase.take_terms() else {
            return;
        };
        let (format, connack) = (terms.format(), terms.settle(&acceptance, &self.options));
        if !self.output.put(&connack, format) {
            // No other packet may precede CONNACK, not even DISCONNECT (MQTT-3.14.0-1).
            put_refusal(&mut self.output, ReasonCode::PACKET_TOO_LARGE, None, format);
            return self.close_later(CloseCause::ClientTooNarrow);
        }
        self.received = now;
        self.phase = Phase::Connected(Connected::new(terms, acceptance, &self.options));
    }

    /// Refuses the CONNECT. In MQTT 3.1.1 the code is converted to the return code with the same meaning, or none is sent (MQTT-3.2.2-6).
    /// The driver writes the output and closes.
    pub fn refuse(&mut self, code: ReasonCode, words: Option<&str>) {
        if let Some(terms) = self.phase.take_terms() {
            put_refusal(&mut self.output, code, words, terms.format());
        }
    }

    /// Answers a QoS 1 message: it is stored, or refused for this reason. A code that PUBACK must not have is replaced by 0x83
    /// (implementation specific error). In MQTT 3.1.1 there is no packet for a refusal, so the connection ends, as at AWS IoT
    /// (MQTT-3.3.5-2).
    pub fn puback(&mut self, packet_id: u16, code: ReasonCode, words: Option<&str>) {
        self.answer(|connected, output| connected.puback(packet_id, code, words, output));
    }

    /// Answers SUBSCRIBE, in the order of its filters. A missing answer refuses its filter.
    pub fn suback(&mut self, packet_id: u16, granted: &[Granted], words: Option<&str>) {
        self.answer(|connected, output| connected.suback(packet_id, granted, words, output));
    }

    /// Answers UNSUBSCRIBE, in the order of its filters: [`ReasonCode::SUCCESS`], [`ReasonCode::NO_SUBSCRIPTION_EXISTED`] or a
    /// failure.
    pub fn unsuback(&mut self, packet_id: u16, answers: &[ReasonCode]) {
        self.answer(|connected, output| connected.unsuback(packet_id, answers, output));
    }

    fn answer(&mut self, write: impl FnOnce(&mut Connected, &mut Output) -> Result<(), CloseCause>) {
        if let Phase::Connected(connected) = &mut self.phase
            && let Err(cause) = write(connected, &mut self.output)
        {
            self.close_later(cause);
        }
    }

    /// Sends a message. At QoS 1 its packet identifier is returned.
    ///
    /// # Errors
    /// If it cannot be sent, or not now.
    pub fn deliver(&mut self, delivery: &Delivery) -> Result<Option<u16>, NotDelivered> {
        self.outbound(|outbound, output| outbound.deliver(delivery, output))
    }

    /// Sends a QoS 1 message for the first time, with a packet identifier of the driver's choice.
    ///
    /// # Errors
    /// If it cannot be sent, or not now, for instance because the packet identifier is in use.
    pub fn deliver_as(&mut self, packet_id: u16, delivery: &Delivery) -> Result<(), NotDelivered> {
        self.outbound(|outbound, output| outbound.deliver_as(packet_id, delivery, output))
    }

    /// Sends a message of the resumed session again, with the packet identifier that it had (MQTT-4.4.0-1).
    ///
    /// # Errors
    /// If it cannot be sent, or not now. The packet identifier of one that is too large is released.
    pub fn redeliver(&mut self, packet_id: u16, delivery: &Delivery) -> Result<(), NotDelivered> {
        self.outbound(|outbound, output| outbound.redeliver(packet_id, delivery, output))
    }

    fn outbound<T>(
        &mut self,
        send: impl FnOnce(&mut Outbound, &mut Output) -> Result<T, NotDelivered>,
    ) -> Result<T, NotDelivered> {
        let Phase::Connected(connected) = &mut self.phase else {
            return Err(NotDelivered::NotConnected);
        };
        send(&mut connected.outbound, &mut self.output)
    }

    /// Returns the packet identifiers of messages that the client has not acknowledged, in any order. They belong to the session.
    pub fn in_flight(&self) -> impl Iterator<Item = u16> + '_ {
        let accepted = self.phase.accepted().into_iter();
        accepted.flat_map(|connected| connected.outbound.ids())
    }

    /// Returns the number of packets that had no effect: repeated messages before their PUBACK, and PUBACKs with a packet identifier that
    /// is not in use.
    pub fn ignored(&self) -> u64 {
        self.phase.accepted().map_or(0, |connected| connected.ignored)
    }

    /// Returns the bytes to be written. The driver removes what it has written from their beginning.
    pub fn output(&mut self) -> &mut BytesMut {
        self.output.bytes()
    }

    /// Returns whether packets wait for answers of the driver.
    pub fn is_waiting(&self) -> bool {
        self.phase.is_waiting()
    }

    /// Returns whether no packet is read at present, because packets wait for answers, or output waits for the client to read it.
    fn is_held_up(&self) -> bool {
        self.is_waiting() || self.output.is_full()
    }

    /// Returns the client's version; MQTT 5 before it is known.
    pub fn version(&self) -> ProtocolVersion {
        self.phase.version()
    }

    /// Returns when to call [`check_time`](Self::check_time) next. While no packet is read, the client's silence proves nothing.
    pub fn deadline(&self) -> Option<Instant> {
        let limit = self.phase.silence_limit(&self.options).filter(|_| !self.is_held_up());
        limit.map(|limit| self.received + limit)
    }

    /// Ends the connection if the client has been silent for too long.
    pub fn check_time(&mut self, now: Instant) -> Option<Close> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        Some(self.finish(self.phase.silence_cause()))
    }

    /// Ends the connection because the socket was closed. Nothing can be written any more.
    pub fn lost(&mut self) -> Close {
        self.finish(CloseCause::Lost)
    }

    /// Ends the connection by a decision of the server, with a text for people.
    pub fn disconnect(&mut self, code: ReasonCode, words: Option<&str>) -> Close {
        let sent = codes::allowed(code, codes::SERVER_DISCONNECT);
        self.phase.put_disconnect(sent, words, &mut self.output);
        self.finish(CloseCause::ByServer(code))
    }

    /// Ends the connection because the same client has connected again. If `resumes`, the new connection resumes the session, and a will
    /// with a delay is not published (MQTT-3.1.3-9); otherwise the session ends here.
    pub fn take_over(&mut self, resumes: bool) -> Close {
        let code = ReasonCode::SESSION_TAKEN_OVER;
        self.phase.put_disconnect(code, None, &mut self.output);
        self.finish(CloseCause::TakenOver).taken_over(resumes)
    }

    fn close(&mut self, cause: CloseCause) -> Action {
        Action::Close(Box::new(self.finish(cause)))
    }

    /// Ends the connection; the next call of [`next`](Self::next) reports that.
    fn close_later(&mut self, cause: CloseCause) {
        self.due_close = Some(Box::new(self.finish(cause)));
    }

    /// Writes the last packet for the cause, and ends.
    fn finish(&mut self, cause: CloseCause) -> Close {
        let due = self.due_close.take().map(|close| *close);
        due.unwrap_or_else(|| self.phase.end(cause, &mut self.output))
    }
}
