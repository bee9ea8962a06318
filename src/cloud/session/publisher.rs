//! From the outbox to AWS: at AWS's pace, no more under way than it allows, and each message until AWS has answered it.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::few::Few;
use super::pace::Pace;
use super::suspects::Suspects;
use super::unanswered::{Kind, Unanswered};
use crate::cloud::mqtt::{Connection, NotSent, Reason};
use crate::event::{Event, journal};
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
/// Why a message is not sent any more.
const DROPPED: &str = "AWS dropped the connection each time within a second of this message, and never without it";
/// A message that AWS was too busy for so many times is parked after all.
const TRIES: u32 = 20;

/// What AWS says when it is not the message's fault: unspecified error, implementation specific error, quota exceeded
/// (developer guide, "MQTT 5 reason codes").
const NOT_ITS_FAULT: [u8; 3] = [0x80, 0x83, QUOTA_EXCEEDED];
const QUOTA_EXCEEDED: u8 = 0x97;
/// A DISCONNECT that is about a message at quality of service 0: not authorized, topic name invalid, payload format invalid.
/// One at quality of service 1 is answered so by PUBACK.
const ANSWERED_OTHERWISE: [u8; 3] = [0x87, 0x90, 0x99];

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
    /// The next one at quality of service 0.
    waiting: Option<Direct>,
    /// There is no room for it on the connection.
    backed_up: bool,
    unanswered: Unanswered,
    under_way: HashMap<u16, UnderWay>,
    last_sent: Instant,
    suspects: Suspects<Suspect>,
    tries: HashMap<i64, u32>,
    too_much: u32,
    not_before: Instant,
    /// A message that drops connections was found.
    found_one: bool,
    /// Of what was parked.
    lines: Few,
}

/// Sent at quality of service 1.
#[derive(Debug)]
enum UnderWay {
    Outgoing(Ticket),
    /// One at quality of service 0 that is to be answered this time.
    Direct(Direct),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Suspect {
    /// By its number.
    Outgoing(i64),
    Direct(Kind),
}

impl UnderWay {
    fn suspect(&self) -> Suspect {
        match self {
            Self::Outgoing(ticket) => Suspect::Outgoing(ticket.id),
            Self::Direct(direct) => Suspect::Direct(Kind::of(&direct.message)),
        }
    }
}

/// What is to be sent next.
#[derive(Debug)]
pub(super) enum Next {
    /// The first of those that were read.
    Outgoing,
    /// The one at quality of service 0 that waits.
    Direct,
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
            waiting: None,
            backed_up: false,
            unanswered: Unanswered::default(),
            under_way: HashMap::new(),
            last_sent: now,
            suspects: Suspects::default(),
            tries: HashMap::new(),
            too_much: 0,
            not_before: now,
            found_one: false,
            lines: Few::default(),
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

    /// The connection is gone, with this reason code where AWS said one. `suspicious` if what was sent last may have been the
    /// reason. Returns whether it is known to be a message at quality of service 0.
    pub(super) async fn disconnected(&mut self, suspicious: bool, code: Option<u8>) -> bool {
        let sent = self.unanswered.lost();
        let explained = !sent.is_empty() && code.is_some_and(|code| ANSWERED_OTHERWISE.contains(&code));
        if explained {
            self.unanswered.doubt();
        } else if suspicious {
            let ago = if sent.is_empty() {
                self.last_sent.elapsed()
            } else {
                Duration::ZERO
            };
            let under_way = self.under_way.values().map(UnderWay::suspect);
            self.suspects
                .lost(under_way.chain(sent.into_iter().map(Suspect::Direct)), ago);
        }
        // What was read and not sent counts as sent for the outbox, and comes again as well.
        self.asked = None;
        self.fetched.clear();
        self.under_way.clear();
        self.waiting = None;
        self.backed_up = false;
        self.outbox.connection_lost().await;
        explained
    }

    /// Whether AWS has yet to acknowledge something.
    pub(super) fn anything_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// There is room on the connection again.
    pub(super) fn room(&mut self) {
        self.backed_up = false;
    }

    /// Whether messages of the outbox go one at a time. A suspect at quality of service 0 may never come again, and holds up
    /// nothing while it does not.
    fn one_at_a_time(&self) -> bool {
        self.suspects.any(|suspect| matches!(suspect, Suspect::Outgoing(_)))
    }

    /// Whether AWS is to answer this message at quality of service 0, and whether it must be alone meanwhile.
    fn how(&self, direct: &Direct) -> (bool, bool) {
        let kind = Kind::of(&direct.message);
        let doubtful = self.unanswered.is_doubtful(&kind);
        let alone = self.one_at_a_time() || self.suspects.is_suspected(&Suspect::Direct(kind));
        (doubtful || alone, alone)
    }

    /// The next message, when it may be sent. Cancel safe.
    pub(super) async fn next(&mut self) -> Next {
        sleep_until(self.pace.free_at()).await;
        let quiet = self.suspects.quiet_until();
        let idle = self.under_way.is_empty();
        let (answered, alone) = self.waiting.as_ref().map_or((false, false), |direct| self.how(direct));
        let room = match self.one_at_a_time() || alone {
            true => idle,
            false => self.under_way.len() < self.window,
        };
        let direct_may_go = !self.backed_up && (room || !answered);
        // What waits to be alone lets nothing overtake it for ever.
        let room = room && (!alone || self.one_at_a_time());
        let Self {
            direct,
            waiting,
            outbox,
            news,
            asked,
            fetched,
            not_before,
            ..
        } = self;
        let not_before = quiet.max(Some(*not_before));
        let outgoing = async {
            if !room {
                return pending().await;
            }
            if let Some(time) = not_before {
                sleep_until(time).await;
            }
            next_of(outbox, news, asked, fetched).await;
        };
        let at_once = async {
            if waiting.is_none() {
                // Closed means that the daemon ends, which somebody else notices.
                *waiting = match direct.recv().await {
                    Some(direct) => Some(direct),
                    None => pending().await,
                };
                return;
            }
            if !direct_may_go {
                return pending().await;
            }
            if let (Some(time), true) = (quiet, alone) {
                sleep_until(time).await;
            }
        };
        // Whichever is ready, by lot if both are: neither is in the other's way.
        tokio::select! {
            () = at_once => Next::Direct,
            () = outgoing => Next::Outgoing,
        }
    }

    /// Sends it.
    pub(super) async fn send(&mut self, next: Next, connection: &mut Connection) {
        let outgoing = match next {
            Next::Direct => return self.send_direct(connection),
            Next::Outgoing => self.fetched.pop_front(),
        };
        let Some(outgoing) = outgoing else { return };
        let suspect = Suspect::Outgoing(outgoing.ticket.id);
        if self.suspects.is_guilty(&suspect) {
            self.found_one = true;
            return self.park(outgoing.ticket, DROPPED.to_owned()).await;
        }
        if !self.suspects.is_suspected(&suspect) {
            // What was under way comes again first, in the order of the numbers.
            self.suspects.forget_before(&suspect);
        }
        match connection.publish(&outgoing.message) {
            Ok(packet_id) => {
                self.spent();
                self.last_sent = Instant::now();
                self.under_way.insert(packet_id, UnderWay::Outgoing(outgoing.ticket));
            }
            Err(NotSent::Busy) => self.fetched.push_front(outgoing),
            Err(NotSent::Never(why)) => self.park(outgoing.ticket, why).await,
        }
    }

    fn send_direct(&mut self, connection: &mut Connection) {
        let Some(direct) = self.waiting.take_if(|direct| !direct.sent.is_closed()) else {
            // Its program was answered that it was not sent.
            self.waiting = None;
            return;
        };
        let kind = Kind::of(&direct.message);
        if let Some(why) = self.unanswered.refusal(&kind) {
            return drop(direct.sent.send(Err(why)));
        }
        if self.suspects.is_guilty(&Suspect::Direct(kind.clone())) {
            self.suspects.cleared(&Suspect::Direct(kind.clone()));
            self.found_one = true;
            let why = self.unanswered.refuse(kind, DROPPED);
            return drop(direct.sent.send(Err(why)));
        }
        let (answered, alone) = self.how(&direct);
        let most = if alone { 1 } else { self.window };
        if answered && (self.under_way.len() >= most || alone && self.suspects.quiet_until().is_some()) {
            self.waiting = Some(direct);
            return;
        }
        let outcome = match answered {
            true => connection.publish(&direct.message).map(Some),
            false => connection.publish_unacknowledged(&direct.message).map(|()| None),
        };
        match outcome {
            Ok(packet_id) => {
                self.spent();
                if let Some(packet_id) = packet_id {
                    self.last_sent = Instant::now();
                    self.under_way.insert(packet_id, UnderWay::Direct(direct));
                } else {
                    self.unanswered.sent(kind);
                    let _ = direct.sent.send(Ok(()));
                }
            }
            Err(NotSent::Busy) if !answered => {
                self.backed_up = true;
                self.waiting = Some(direct);
            }
            Err(NotSent::Busy) => drop(direct.sent.send(Err(Problem::wait("the MQTT session is busy")))),
            Err(NotSent::Never(why)) => {
                let why = Problem::configuration(format!("the message cannot be sent: {why}"));
                let _ = direct.sent.send(Err(why));
            }
        }
    }

    /// AWS has answered a message at quality of service 0 as one at quality of service 1.
    fn direct_answered(&mut self, direct: Direct, reason: &Reason) {
        let kind = Kind::of(&direct.message);
        self.suspects.cleared(&Suspect::Direct(kind.clone()));
        let outcome = match reason.code {
            0..0x80 => {
                self.unanswered.taken(kind);
                Ok(())
            }
            code if NOT_ITS_FAULT.contains(&code) => Err(Problem::wait(format!("AWS does not take it now: {reason}"))),
            _ => Err(self.unanswered.refuse(kind, &reason.to_string())),
        };
        let _ = direct.sent.send(outcome);
    }

    /// Whether a message that drops connections was found since this was asked the last time.
    pub(super) fn has_found_one(&mut self) -> bool {
        std::mem::take(&mut self.found_one)
    }

    /// A message goes, or has come: both count.
    pub(super) fn spent(&mut self) {
        self.pace.spend(Instant::now());
    }

    /// AWS has answered a message.
    pub(super) async fn answered(&mut self, packet_id: u16, reason: &Reason) {
        let ticket = match self.under_way.remove(&packet_id) {
            Some(UnderWay::Outgoing(ticket)) => ticket,
            Some(UnderWay::Direct(direct)) => return self.direct_answered(direct, reason),
            None => return,
        };
        if reason.code < 0x80 {
            self.too_much = 0;
            self.tries.remove(&ticket.id);
            self.suspects.cleared(&Suspect::Outgoing(ticket.id));
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
        self.suspects.cleared(&Suspect::Outgoing(ticket.id));
        let (id, topic) = (ticket.id, ticket.topic.as_str());
        self.lines.one_more(|level, more| {
            journal!(
                level, Event::MessageParked, TOPIC = topic;
                "outbox: message {id} on {topic} is parked: {reason}; next: gatepost outbox show {id}{more}"
            );
        });
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
