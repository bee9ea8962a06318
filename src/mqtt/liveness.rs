//! Whether the server is still there: by what was received from it, never by what was sent to it.

use std::time::Duration;

use tokio::time::Instant;

/// An answer that has not come for so long is asked about with a PINGREQ: its PINGRESP proves that the server has read what it
/// has yet to answer.
const ANSWER_DUE: Duration = Duration::from_secs(30);
/// From such a proof on, this is how long the answer is still waited for.
const ANSWER_LATE: Duration = Duration::from_secs(30);

/// What is to be done because of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Send PINGREQ.
    Ping,
    /// Nothing was received for one and a half keep-alives: give the connection up.
    Silent,
    /// The server answers PINGREQ and not what it was sent before it: give the connection up.
    Unanswered,
}

/// The timers of one connection. They hold no clock: each call says the time.
#[derive(Clone, Debug)]
pub struct Liveness {
    keep_alive: Duration,
    sent: Instant,
    received: Instant,
    /// When the PINGREQ was sent that is not answered yet.
    pinged: Option<Instant>,
    /// When the last PINGREQ that was answered had been sent, and when its answer came.
    proven: Option<(Instant, Instant)>,
}

impl Liveness {
    /// Timers that begin now, with CONNACK.
    pub fn new(keep_alive: Duration, now: Instant) -> Self {
        Self {
            keep_alive,
            sent: now,
            received: now,
            pinged: None,
            proven: None,
        }
    }

    /// Something was sent.
    pub fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// PINGREQ was sent.
    pub fn pinged(&mut self, now: Instant) {
        self.sent = now;
        self.pinged = Some(now);
    }

    /// Bytes were received.
    pub fn received(&mut self, now: Instant) {
        self.received = now;
    }

    /// PINGRESP was received. One that nobody asked for proves nothing.
    pub fn answered(&mut self, now: Instant) {
        if let Some(pinged) = self.pinged.take() {
            self.proven = Some((pinged, now));
        }
    }

    /// When [`overdue`](Self::overdue) is next worth asking. `oldest` is when the oldest packet was sent that the server has
    /// yet to answer.
    pub fn deadline(&self, oldest: Option<Instant>) -> Instant {
        let silent = self.received + self.keep_alive * 3 / 2;
        let late = oldest.and_then(|oldest| self.late(oldest));
        let ping = self.ping_due(oldest);
        [Some(silent), late, ping].into_iter().flatten().min().unwrap_or(silent)
    }

    /// What is due at this time.
    pub fn overdue(&self, oldest: Option<Instant>, now: Instant) -> Option<Overdue> {
        if now >= self.received + self.keep_alive * 3 / 2 {
            return Some(Overdue::Silent);
        }
        if oldest.and_then(|oldest| self.late(oldest)).is_some_and(|at| now >= at) {
            return Some(Overdue::Unanswered);
        }
        self.ping_due(oldest).filter(|at| now >= *at).map(|_| Overdue::Ping)
    }

    /// When the answer to what was sent at `oldest` is too late, once the server is known to have read it.
    fn late(&self, oldest: Instant) -> Option<Instant> {
        let (pinged, answered) = self.proven.filter(|(pinged, _)| *pinged >= oldest)?;
        // A PINGREQ just behind the packet proves little before the answer is due.
        Some(answered.max(pinged).max(oldest + ANSWER_DUE) + ANSWER_LATE)
    }

    fn ping_due(&self, oldest: Option<Instant>) -> Option<Instant> {
        if self.pinged.is_some() {
            return None;
        }
        let alive = self.sent.min(self.received) + self.keep_alive;
        let unproven = oldest.filter(|oldest| self.proven.is_none_or(|(pinged, _)| pinged < *oldest));
        Some(unproven.map_or(alive, |oldest| alive.min(oldest + ANSWER_DUE)))
    }
}
