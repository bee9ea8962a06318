//! From the outbox to AWS: at AWS's pace, no more under way than it allows, and each message until AWS has answered it
//! (`answers`). Beside it what is sent at once or not at all (`direct`).

mod answers;
mod direct;
mod unanswered;

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use self::unanswered::{Kind, Unanswered};
use super::few::Few;
use super::pace::Pace;
use super::suspects::Suspects;
use crate::cloud::mqtt::{Connection, NotSent, ReasonCode};
use crate::messages::{Direct, Failure, Outbox, Outgoing, Ticket};
use crate::mqtt::ServerLimits;
use crate::problem::Problem;

/// AWS IoT: at most 100 unacknowledged messages of a connection.
const WINDOW: usize = 100;
/// Presence and the farewell are published beside the outbox and need a place.
const SPARE: usize = 4;
/// Read from the database at once, and their bytes.
const PAGE: (usize, u64) = (16, 128 * 1024);
/// Between two looks into a database that cannot be read.
const RETRY: Duration = Duration::from_secs(5);
/// Why a message is not sent any more.
const DROPPED: &str = "AWS dropped the connection each time within a second of this message, and never without it";
/// A DISCONNECT that is about a message at quality of service 0: not authorized, topic name invalid, payload format invalid.
/// One at quality of service 1 is answered so by PUBACK.
const ANSWERED_OTHERWISE: [ReasonCode; 3] = [
    ReasonCode::NOT_AUTHORIZED,
    ReasonCode::TOPIC_NAME_INVALID,
    ReasonCode::PAYLOAD_FORMAT_INVALID,
];

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
    /// There is no room on the connection until it says so.
    backed_up: bool,
    /// Whether the broker acknowledges messages at all; those of the outbox wait where it does not.
    acknowledges: bool,
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
    /// Sets how many messages go in a second at the most, from now on.
    pub(super) fn set_rate(&mut self, rate: u32) {
        self.pace = Pace::new(rate, Instant::now());
    }

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
            acknowledges: true,
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

    /// A connection to a server that takes so much.
    pub(super) fn connected(&mut self, limits: &ServerLimits) {
        self.acknowledges = limits.maximum_qos > 0;
        self.outbox.note_packet_limit(limits.maximum_packet_size);
        self.window = usize::from(limits.receive_maximum)
            .min(WINDOW)
            .saturating_sub(SPARE)
            .max(1);
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
    pub(super) async fn disconnected(&mut self, suspicious: bool, code: Option<ReasonCode>) -> bool {
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
        let room = room && !self.backed_up && self.acknowledges;
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
            Err(NotSent::Busy) => {
                self.backed_up = true;
                self.fetched.push_front(outgoing);
            }
            Err(NotSent::AtMostOnceOnly) => {
                self.acknowledges = false;
                self.fetched.push_front(outgoing);
            }
            Err(NotSent::Never(why)) => self.park(outgoing.ticket, why).await,
        }
    }

    /// Whether a message that drops connections was found since this was asked the last time.
    pub(super) fn has_found_one(&mut self) -> bool {
        std::mem::take(&mut self.found_one)
    }

    /// A message goes.
    fn spent(&mut self) {
        self.pace.send(Instant::now());
    }

    /// A message has come, which counts as well.
    pub(super) fn received(&mut self) {
        self.pace.receive(Instant::now());
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
