//! Decides whether the server is still there: by what was received from it, never by what was sent to it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// An answer that has not come for so long is asked about with a PINGREQ: its PINGRESP proves that the server has read what it
/// has yet to answer.
const ANSWER_DUE: Duration = Duration::from_secs(30);
/// From such a proof on, this is how long the answer is still waited for.
const ANSWER_LATE: Duration = Duration::from_secs(30);
/// No packet counts as unanswered before this time.
pub const LATEST_ANSWER: Duration = ANSWER_DUE.saturating_add(ANSWER_LATE);

/// PINGREQ is answered within one and a half keep-alives, or this where it is longer: its answer may have to wait for what the
/// server had written before, which takes minutes on a slow link.
const PONG_PATIENCE: Duration = Duration::from_secs(300);
/// A packet that is still incomplete counts as received for each so many bytes of it. One byte now and then is no life.
const PROGRESS: usize = 1024;
/// After a change of this machine's network, the server must be heard within this time. The kernel's first retransmissions and
/// the round trip of a slow link fit in, and with the wait before the next CONNECT it is less than five seconds.
const DOUBT: Duration = Duration::from_millis(2500);

/// An action that is due because of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Send PINGREQ.
    Ping,
    /// Nothing was received for one and a half keep-alives: give the connection up.
    Silent,
    /// The server answers PINGREQ and not what it was sent before it: give the connection up.
    Unanswered,
    /// The server sends something, but does not answer PINGREQ: give the connection up.
    PingUnanswered,
    /// Nothing was received since this machine's network changed: give the connection up.
    Stale,
}

/// The timers of one connection. They hold no clock: each call says the time.
#[derive(Clone, Debug)]
pub struct Liveness {
    keep_alive: Duration,
    sent: Instant,
    received: Instant,
    /// Bytes received since then, of a packet that is incomplete.
    progress: usize,
    /// When each PINGREQ was sent that is not answered yet, in order.
    pings: VecDeque<Instant>,
    /// When this machine's network changed; `None` once something was received since.
    doubted: Option<Instant>,
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
            progress: 0,
            pings: VecDeque::new(),
            doubted: None,
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
        self.pings.push_back(now);
    }

    /// This machine's network has changed, and the connection may be dead without a sign. The caller sends PINGREQ.
    pub fn doubt(&mut self, now: Instant) {
        self.doubted = Some(now);
    }

    /// A whole packet was received.
    pub fn received(&mut self, now: Instant) {
        self.received = now;
        self.progress = 0;
        self.doubted = None;
    }

    /// Bytes were received, which need not be a whole packet.
    pub fn received_bytes(&mut self, count: usize, now: Instant) {
        self.doubted = None;
        self.progress = self.progress.saturating_add(count);
        if self.progress >= PROGRESS {
            self.received(now);
        }
    }

    /// PINGRESP was received: the answer to the oldest PINGREQ. One that nobody asked for proves nothing.
    pub fn answered(&mut self, now: Instant) {
        if let Some(pinged) = self.pings.pop_front() {
            self.proven = Some((pinged, now));
        }
    }

    /// When [`overdue`](Self::overdue) is next worth asking. `oldest` is when the oldest packet was sent that the server has
    /// yet to answer.
    pub fn deadline(&self, oldest: Option<Instant>) -> Instant {
        let silent = self.silent();
        let late = oldest.and_then(|oldest| self.late(oldest));
        [late, self.pong_late(), self.stale(), Some(self.ping_due(oldest))]
            .into_iter()
            .flatten()
            .fold(silent, Instant::min)
    }

    /// The action that is due at this time.
    pub fn overdue(&self, oldest: Option<Instant>, now: Instant) -> Option<Overdue> {
        let late = oldest.and_then(|oldest| self.late(oldest));
        let due = [
            (Some(self.silent()), Overdue::Silent),
            (self.stale(), Overdue::Stale),
            (late, Overdue::Unanswered),
            (self.pong_late(), Overdue::PingUnanswered),
            (Some(self.ping_due(oldest)), Overdue::Ping),
        ];
        due.into_iter()
            .find(|(at, _)| at.is_some_and(|at| now >= at))
            .map(|(_, overdue)| overdue)
    }

    fn silent(&self) -> Instant {
        self.received + self.keep_alive * 3 / 2
    }

    fn stale(&self) -> Option<Instant> {
        self.doubted.map(|doubted| doubted + DOUBT)
    }

    fn pong_late(&self) -> Option<Instant> {
        let patience = PONG_PATIENCE.max(self.keep_alive * 3 / 2);
        self.pings.front().map(|pinged| *pinged + patience)
    }

    /// When the answer to what was sent at `oldest` is too late, once the server is known to have read it.
    fn late(&self, oldest: Instant) -> Option<Instant> {
        let (pinged, answered) = self.proven.filter(|(pinged, _)| *pinged >= oldest)?;
        // A PINGREQ just behind the packet proves little before the answer is due.
        Some(answered.max(pinged).max(oldest + ANSWER_DUE) + ANSWER_LATE)
    }

    fn ping_due(&self, oldest: Option<Instant>) -> Instant {
        // The server must hear of us in each keep-alive, whether or not it answers (MQTT-3.1.2-20).
        if !self.pings.is_empty() {
            return self.sent + self.keep_alive;
        }
        let alive = self.sent.min(self.received) + self.keep_alive;
        let unproven = oldest.filter(|oldest| self.proven.is_none_or(|(pinged, _)| pinged < *oldest));
        unproven.map_or(alive, |oldest| alive.min(oldest + ANSWER_DUE))
    }
}
