//! Decides whether the server is still reachable, by what was received from it, never by what was sent to it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// If a packet has been unanswered for this long, PINGREQ is sent: its PINGRESP proves that the server has read the packet.
const ANSWER_DUE: Duration = Duration::from_secs(30);
/// Time for which the answer is still awaited after such a proof.
const ANSWER_LATE: Duration = Duration::from_secs(30);
/// Longest time for which an answer is awaited: no packet counts as unanswered before it has passed.
pub const LATEST_ANSWER: Duration = ANSWER_DUE.saturating_add(ANSWER_LATE);

/// Minimum time for PINGRESP, if one and a half keep-alives are shorter: it may be queued behind earlier data of the server, which takes
/// minutes on a slow link.
const PINGRESP_TIMEOUT: Duration = Duration::from_secs(300);
/// Number of bytes of an incomplete packet that count as a sign of life. A single byte now and then is none.
const PROGRESS_BYTES: usize = 1024;
/// After a change of this machine's network, something must be received from the server within this time. It includes the kernel's first
/// retransmissions and the round trip of a slow link, and with the wait before the next CONNECT it is less than five seconds.
const STALE_AFTER: Duration = Duration::from_millis(2500);

/// An action that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Send PINGREQ.
    Ping,
    /// Close the connection: nothing was received for one and a half keep-alives.
    Silent,
    /// Close the connection: the server answers PINGREQ, but not an earlier packet.
    Unanswered,
    /// Close the connection: the server sends something, but does not answer PINGREQ.
    PingUnanswered,
    /// Close the connection: nothing was received since this machine's network changed.
    Stale,
}

/// The timers of one connection. They contain no clock: each call passes the time.
#[derive(Clone, Debug)]
pub struct Liveness {
    keep_alive: Duration,
    sent: Instant,
    received: Instant,
    /// Number of bytes of an incomplete packet that were received since then.
    progress: usize,
    /// When each unanswered PINGREQ was sent, in order.
    pings: VecDeque<Instant>,
    /// When this machine's network changed; `None` once something was received since.
    doubted: Option<Instant>,
    /// When the last answered PINGREQ was sent, and when its answer arrived.
    proven: Option<(Instant, Instant)>,
}

impl Liveness {
    /// Creates timers that start now, with CONNACK.
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

    /// Records that something was sent.
    pub fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    /// Records that PINGREQ was sent.
    pub fn pinged(&mut self, now: Instant) {
        self.sent = now;
        self.pings.push_back(now);
    }

    /// Records that this machine's network has changed, so that the connection may be dead. The caller sends PINGREQ.
    pub fn doubt(&mut self, now: Instant) {
        self.doubted = Some(now);
    }

    /// Records that a complete packet was received.
    pub fn received(&mut self, now: Instant) {
        self.received = now;
        self.progress = 0;
        self.doubted = None;
    }

    /// Records that bytes were received, which need not be a complete packet.
    pub fn received_bytes(&mut self, count: usize, now: Instant) {
        self.doubted = None;
        self.progress = self.progress.saturating_add(count);
        if self.progress >= PROGRESS_BYTES {
            self.received(now);
        }
    }

    /// Records PINGRESP, the answer to the oldest PINGREQ. An unsolicited one proves nothing.
    pub fn answered(&mut self, now: Instant) {
        if let Some(pinged) = self.pings.pop_front() {
            self.proven = Some((pinged, now));
        }
    }

    /// Returns when to call [`overdue`](Self::overdue) next. `oldest` is when the oldest unanswered packet was sent.
    pub fn deadline(&self, oldest: Option<Instant>) -> Instant {
        let silent = self.silent();
        let late = oldest.and_then(|oldest| self.late(oldest));
        [
            late,
            self.pingresp_deadline(),
            self.stale(),
            Some(self.ping_due(oldest)),
        ]
        .into_iter()
        .flatten()
        .fold(silent, Instant::min)
    }

    /// Returns the action that is due at this time.
    pub fn overdue(&self, oldest: Option<Instant>, now: Instant) -> Option<Overdue> {
        let late = oldest.and_then(|oldest| self.late(oldest));
        let due = [
            (Some(self.silent()), Overdue::Silent),
            (self.stale(), Overdue::Stale),
            (late, Overdue::Unanswered),
            (self.pingresp_deadline(), Overdue::PingUnanswered),
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
        self.doubted.map(|doubted| doubted + STALE_AFTER)
    }

    fn pingresp_deadline(&self) -> Option<Instant> {
        let timeout = PINGRESP_TIMEOUT.max(self.keep_alive * 3 / 2);
        self.pings.front().map(|pinged| *pinged + timeout)
    }

    /// Returns when the answer to a packet sent at `oldest` is too late, if the server is known to have read that packet.
    fn late(&self, oldest: Instant) -> Option<Instant> {
        let (pinged, answered) = self.proven.filter(|(pinged, _)| *pinged >= oldest)?;
        // A PINGREQ directly after the packet proves little before the answer is due.
        Some(answered.max(pinged).max(oldest + ANSWER_DUE) + ANSWER_LATE)
    }

    fn ping_due(&self, oldest: Option<Instant>) -> Instant {
        // The server must receive something from us in each keep-alive, whether or not it answers (MQTT-3.1.2-20).
        if !self.pings.is_empty() {
            return self.sent + self.keep_alive;
        }
        let alive = self.sent.min(self.received) + self.keep_alive;
        let unproven = oldest.filter(|oldest| self.proven.is_none_or(|(pinged, _)| pinged < *oldest));
        unproven.map_or(alive, |oldest| alive.min(oldest + ANSWER_DUE))
    }
}
