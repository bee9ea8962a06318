//! From the outbox to AWS: at AWS's pace, no more under way than it allows, and each message until AWS has answered it.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::pace::Pace;
use super::suspects::Suspects;
use crate::cloud::mqtt::{Connection, NotSent, Reason};
use crate::messages::{Direct, Failure, Outbox, Outgoing, Ticket};
use crate::problem::Problem;

/// AWS IoT: at most 100 unacknowledged messages of a connection.
const WINDOW: usize = 100;
/// Presence and the farewell are published beside the outbox and need a place.
const SPARE: usize = 4;
/// Read from the database at once, and their bytes.
const PAGE: (usize, u64) = (16, 128 * 1024);
/// Between two looks into a database that cannot be read.
const RETRY: Duration = Duration::from_secs(5);
/// After AWS has said that there was too much; it grows with each time in a row.
const TOO_MUCH: Duration = Duration::from_secs(1);
/// The longest such pause, as a power of two of [`TOO_MUCH`].
const TOO_MUCH_LIMIT: u32 = 5;
/// A message that AWS was too busy for so many times is parked after all.
const TRIES: u32 = 20;

/// What AWS says when it is not the message's fault: unspecified error, implementation specific error, quota exceeded
/// (developer guide, "MQTT 5 reason codes").
const NOT_ITS_FAULT: [u8; 3] = [0x80, 0x83, QUOTA_EXCEEDED];
const QUOTA_EXCEEDED: u8 = 0x97;

/// The publisher, through all connections.
#[derive(Debug)]
pub struct Publisher {
    outbox: Outbox,
    news: watch::Receiver<()>,
    direct: mpsc::Receiver<Direct>,
    pace: Pace,
    window: usize,
    asked: Option<oneshot::Receiver<Result<Vec<Outgoing>, Failure>>>,
    fetched: VecDeque<Outgoing>,
    under_way: HashMap<u16, Ticket>,
    last_sent: Instant,
    suspects: Suspects<i64>,
    tries: HashMap<i64, u32>,
    too_much: u32,
    not_before: Instant,
}

/// What is to be sent next.
#[derive(Debug)]
pub(super) enum Next {
    Outgoing(Outgoing),
    Direct(Direct),
}

impl Publisher {
    /// A publisher of `outbox` and of what comes directly, with at most `rate` messages a second.
    pub fn new(outbox: Outbox, direct: mpsc::Receiver<Direct>, rate: u32) -> Self {
        let now = Instant::now();
        Self {
            news: outbox.news(),
            outbox,
            direct,
            pace: Pace::new(rate, now),
            window: 0,
            asked: None,
            fetched: VecDeque::new(),
            under_way: HashMap::new(),
            last_sent: now,
            suspects: Suspects::default(),
            tries: HashMap::new(),
            too_much: 0,
            not_before: now,
        }
    }

    /// A connection on which AWS takes `receive_maximum` messages before it has acknowledged the first of them.
    pub(super) fn connected(&mut self, receive_maximum: u16) {
        self.window = usize::from(receive_maximum).min(WINDOW).saturating_sub(SPARE).max(1);
        self.suspects.connected();
        // What somebody wanted to be sent at once while there was no connection was answered, or nobody waits for it.
        while let Ok(late) = self.direct.try_recv() {
            let _ = late.sent.send(Err(Problem::wait("the MQTT session was not connected")));
        }
    }

    /// An attempt to connect has failed.
    pub(super) fn not_reached(&mut self) {
        self.suspects.not_reached();
    }

    /// The connection is gone. `suspicious` if what was sent last may have been the reason.
    pub(super) async fn disconnected(&mut self, suspicious: bool) {
        if suspicious {
            let ago = self.last_sent.elapsed();
            self.suspects.lost(self.under_way.values().map(|ticket| ticket.id), ago);
        }
        // What was read and not sent counts as sent for the outbox, and comes again as well.
        self.asked = None;
        self.fetched.clear();
        self.under_way.clear();
        self.outbox.connection_lost().await;
    }

    /// Whether AWS has yet to acknowledge something.
    pub(super) fn anything_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// The next message, when it may be sent. Cancel safe.
    pub(super) async fn next(&mut self) -> Next {
        let room = match self.suspects.one_at_a_time() {
            true => self.under_way.is_empty(),
            false => self.under_way.len() < self.window,
        };
        let Self {
            direct,
            outbox,
            news,
            asked,
            fetched,
            pace,
            not_before,
            suspects,
            ..
        } = self;
        let not_before = suspects.quiet_until().max(Some(*not_before));
        let may_go = sleep_until(pace.free_at());
        let outgoing = async {
            if !room {
                return pending().await;
            }
            if let Some(time) = not_before {
                sleep_until(time).await;
            }
            next_of(outbox, news, asked, fetched).await;
        };
        tokio::select! {
            biased;
            // Closed means that the daemon ends, which somebody else notices.
            Some(message) = async { may_go.await; direct.recv().await } => Next::Direct(message),
            () = outgoing => {
                sleep_until(self.pace.free_at()).await;
                match self.fetched.pop_front() {
                    Some(outgoing) => Next::Outgoing(outgoing),
                    None => pending().await,
                }
            }
        }
    }

    /// Sends it.
    pub(super) async fn send(&mut self, next: Next, connection: &mut Connection) {
        match next {
            Next::Direct(Direct { message, sent }) => {
                self.spent();
                let outcome = connection.publish_unacknowledged(&message);
                let _ = sent.send(outcome.map_err(|why| match why {
                    NotSent::Busy => Problem::wait("the MQTT session is busy"),
                    NotSent::Never(why) => Problem::configuration(format!("the message cannot be sent: {why}")),
                }));
            }
            Next::Outgoing(outgoing) if self.suspects.is_guilty(&outgoing.ticket.id) => {
                let reason =
                    "AWS dropped the connection each time within a second of this message, and never without it";
                self.park(outgoing.ticket, reason.to_owned()).await;
            }
            Next::Outgoing(outgoing) => match connection.publish(&outgoing.message) {
                Ok(packet_id) => {
                    self.spent();
                    self.last_sent = Instant::now();
                    self.under_way.insert(packet_id, outgoing.ticket);
                }
                Err(NotSent::Busy) => self.fetched.push_front(outgoing),
                Err(NotSent::Never(why)) => self.park(outgoing.ticket, why).await,
            },
        }
    }

    /// A message goes, or has come: both count.
    pub(super) fn spent(&mut self) {
        self.pace.spend(Instant::now());
    }

    /// AWS has answered a message.
    pub(super) async fn answered(&mut self, packet_id: u16, reason: &Reason) {
        let Some(ticket) = self.under_way.remove(&packet_id) else {
            return;
        };
        if reason.code < 0x80 {
            self.too_much = 0;
            self.tries.remove(&ticket.id);
            self.suspects.cleared(&ticket.id);
            return self.outbox.acknowledged(ticket).await;
        }
        if !NOT_ITS_FAULT.contains(&reason.code) {
            return self.park(ticket, reason.to_string()).await;
        }
        let tries = self.tries.entry(ticket.id).or_default();
        *tries += 1;
        if *tries >= TRIES {
            return self.park(ticket, reason.to_string()).await;
        }
        log::debug!("session: message {} is sent again later: {reason}", ticket.id);
        self.not_before = Instant::now() + TOO_MUCH * 2_u32.pow(self.too_much);
        self.too_much = (self.too_much + 1).min(TOO_MUCH_LIMIT);
        match reason.code {
            QUOTA_EXCEEDED => self.put_off(ticket).await,
            // Perhaps it is this message after all: then its topic must not wait for it.
            _ => self.outbox.again(ticket).await,
        }
    }

    /// What is behind it on its topic, and not sent yet, waits for it: what was read from the database goes back.
    async fn put_off(&mut self, ticket: Ticket) {
        if let Some(asked) = self.asked.take()
            && let Ok(Ok(page)) = asked.await
        {
            self.fetched.extend(page);
        }
        let fetched = std::mem::take(&mut self.fetched);
        let (behind, others) = fetched
            .into_iter()
            .partition(|outgoing| outgoing.ticket.topic == ticket.topic);
        self.fetched = others;
        let behind: VecDeque<Outgoing> = behind;
        self.outbox.put_off(ticket).await;
        for outgoing in behind {
            self.outbox.again(outgoing.ticket).await;
        }
    }

    async fn park(&mut self, ticket: Ticket, reason: String) {
        self.tries.remove(&ticket.id);
        self.suspects.cleared(&ticket.id);
        self.outbox.park(ticket, reason).await;
    }
}

/// Waits until something is in `fetched`. Cancel safe: what was asked for stays asked for.
async fn next_of(
    outbox: &Outbox,
    news: &mut watch::Receiver<()>,
    asked: &mut Option<oneshot::Receiver<Result<Vec<Outgoing>, Failure>>>,
    fetched: &mut VecDeque<Outgoing>,
) {
    while fetched.is_empty() {
        let Some(answer) = asked else {
            news.borrow_and_update();
            match outbox.take(PAGE.0, PAGE.1).await {
                Ok(answer) => *asked = Some(answer),
                Err(_) => pending::<()>().await,
            }
            continue;
        };
        let answer = answer.await;
        *asked = None;
        match answer {
            Ok(Ok(page)) if page.is_empty() => {
                if news.changed().await.is_err() {
                    pending::<()>().await;
                }
            }
            Ok(Ok(page)) => fetched.extend(page),
            // Why is in the status, by the one who knows.
            Ok(Err(_)) | Err(_) => sleep(RETRY).await,
        }
    }
}
