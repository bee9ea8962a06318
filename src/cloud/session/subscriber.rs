//! Keeps AWS's side of the session subscribed to what the programs want, and hands on what comes.
//!
//! AWS keeps subscriptions with the session, so one that is there is not asked for again (Device Advisor fails a client that
//! does); a session that is gone has none. What AWS has is noted on the disk, because the session outlives this process: before
//! a SUBSCRIBE or UNSUBSCRIBE is sent as uncertain, and again once it is answered. After a crash between the two, a filter that
//! is wanted is asked for again, and one that is not is given up.

mod answers;
mod refusals;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use self::refusals::{QUARANTINE, REFUSED, Refusals};
use super::filter_breaches::{FilterBreaches, Verdict};
use super::inbound::Inbound;
use super::incoming_poison::IncomingPoison;
use super::poison_detector::PoisonDetector;
use super::problems;
use crate::clock::SharedClock;
use crate::cloud::mqtt::Lost;
use crate::messages::{Outbox, SessionEvent, StoreError, SubscriptionState, Wanted, WantedFilter};
use crate::mqtt::{LATEST_ANSWER, ProtocolError, ServerLimits};
use crate::problem::Problem;

pub(super) use self::refusals::SetAside;

/// A filter that nobody wants any more is given up after this time: programs are restarted.
const LINGER: Duration = Duration::from_secs(10);

/// The subscriber, through all connections.
#[derive(Debug)]
pub struct Subscriber {
    outbox: Outbox,
    wanted: watch::Receiver<Wanted>,
    clock: SharedClock,
    /// Messages on their way to the inbox.
    pub(super) receiver: Inbound,
    /// Whether the session itself ends every connection.
    poison: IncomingPoison,
    /// Whether a filter does.
    breaches: FilterBreaches,
    /// The limits of the server of this connection.
    limits: ServerLimits,
    /// Whether what AWS has was never noted.
    knows_nothing: bool,
    /// The filters that AWS has or may have.
    confirmed: BTreeMap<String, SubscriptionState>,
    /// What is on its way to the disk before anything else is asked for.
    noting: Option<oneshot::Receiver<Result<(), StoreError>>>,
    /// How many programs had joined a filter when it was last asked for.
    asked_for: HashMap<String, u64>,
    /// The SUBSCRIBE or UNSUBSCRIBE under way: one at a time, so that they cannot overtake each other.
    under_way: Option<UnderWay>,
    unwanted_since: HashMap<String, Instant>,
    /// When UNSUBSCRIBE, which AWS did not answer, is sent again, and how long that was.
    unsubscribe_not_before: Option<(Instant, Duration)>,
    refusals: Refusals,
    suspects: PoisonDetector<String>,
    /// A filter that ends connections was found, or is about to be.
    found_one: bool,
    /// Whether the filters that are set aside have changed since that was last reported.
    is_news: bool,
}

#[derive(Debug)]
enum UnderWay {
    Subscribe(u16, Vec<(String, WantedFilter)>, Instant),
    Unsubscribe(u16, Vec<String>, Instant),
}

impl Subscriber {
    /// A subscriber to `wanted` that hands on to `arrive`.
    pub fn new(
        outbox: Outbox,
        wanted: watch::Receiver<Wanted>,
        arrive: mpsc::Sender<SessionEvent>,
        clock: SharedClock,
    ) -> Self {
        Self {
            outbox,
            wanted,
            clock,
            receiver: Inbound::new(arrive),
            poison: IncomingPoison::default(),
            breaches: FilterBreaches::default(),
            limits: ServerLimits::default(),
            knows_nothing: false,
            confirmed: BTreeMap::new(),
            noting: None,
            asked_for: HashMap::new(),
            under_way: None,
            unwanted_since: HashMap::new(),
            unsubscribe_not_before: None,
            refusals: Refusals::default(),
            suspects: PoisonDetector::default(),
            found_one: false,
            is_news: false,
        }
    }

    /// Reads what AWS has of an earlier start. Where that cannot be read, everything is asked for anew.
    pub(super) async fn remember(&mut self) {
        let noted = self.outbox.subscribed().await;
        self.knows_nothing = matches!(noted, Ok(None));
        self.confirmed = noted.ok().flatten().into_iter().flatten().collect();
    }

    /// Whether AWS is to forget the session: it may have filters that nobody here knows of, because the database is a new one,
    /// and messages would come that nobody gets and that count against AWS's limits; or what it has queued ends every
    /// connection.
    pub(super) fn wants_clean_start(&self) -> bool {
        self.knows_nothing || self.poison.clean_start_is_due()
    }

    /// A connection, on which AWS has the session of before or a new one. Returns the breach because of which the one of before
    /// was discarded, where it was.
    pub(super) async fn connected(&mut self, limits: ServerLimits) -> Option<ProtocolError> {
        self.limits = limits;
        let discarded = self.poison.connected(limits.session_present);
        self.breaches.connected(limits.session_present);
        self.suspects.connected();
        self.knows_nothing = false;
        if !limits.session_present {
            self.receiver.tell(SessionEvent::NewSession);
            self.confirmed.clear();
            self.asked_for.clear();
            self.noting = self.note().await;
        }
        discarded
    }

    /// An attempt to connect has failed.
    pub(super) fn not_reached(&mut self) {
        self.suspects.not_reached();
    }

    /// The connection is gone. `suspicious` if what was sent last may have been the reason.
    pub(super) async fn disconnected(&mut self, suspicious: bool, lost: Option<&Lost>) {
        let breach = match lost {
            Some(Lost::Breach(breach)) => Some(*breach),
            _ => None,
        };
        let verdict = self.breaches.disconnected(breach.is_some());
        self.poison.disconnected(breach, verdict != Verdict::Unrelated);
        self.found_one |= verdict != Verdict::Unrelated;
        if let (Verdict::Blamed(filter), Some(breach)) = (verdict, breach) {
            self.set_aside(&filter, breach);
        }
        let is_unanswered = matches!(lost, Some(Lost::Unanswered));
        match self.under_way.take() {
            Some(UnderWay::Subscribe(_, filters, since)) => {
                let names: Vec<String> = filters.iter().map(|(filter, _)| filter.clone()).collect();
                if is_unanswered && since.elapsed() >= LATEST_ANSWER {
                    self.was_unanswered(names, &filters);
                } else if suspicious {
                    self.suspects.lost(names.into_iter(), since.elapsed());
                }
            }
            Some(UnderWay::Unsubscribe(_, _, since)) if is_unanswered && since.elapsed() >= LATEST_ANSWER => {
                let before = self.unsubscribe_not_before.map(|(_, wait)| wait);
                let wait = before.map_or(REFUSED, |before| (2 * before).min(QUARANTINE));
                self.unsubscribe_not_before = Some((Instant::now() + wait, wait));
            }
            _ if suspicious => self.suspects.lost(std::iter::empty(), Duration::ZERO),
            _ => {}
        }
        self.receiver.disconnected();
    }

    fn was_unanswered(&mut self, names: Vec<String>, filters: &[(String, WantedFilter)]) {
        if let Some(filter) = self.suspects.unanswered(names)
            && let Some((_, wanted)) = filters.iter().find(|(name, _)| *name == filter)
        {
            let why = problems::filter_unanswered(&filter);
            self.refuse(&filter, *wanted, REFUSED, why);
        }
    }

    /// A filter's subscription is followed by a breach each time: the others go on without it.
    fn set_aside(&mut self, filter: &str, breach: ProtocolError) {
        let wanted = self.wanted.borrow().get(filter).copied().unwrap_or_default();
        let why = problems::filter_breaches(filter, breach);
        let news = self.refusals.set_aside(filter, wanted, why, self.clock.wall());
        self.receiver.tell(news);
        self.is_news = true;
    }

    /// Whether a filter that ends connections was found, or is about to be, since this was asked the last time.
    pub(super) fn has_found_one(&mut self) -> bool {
        std::mem::take(&mut self.found_one)
    }

    /// Whether the filters that are set aside have changed since this was asked the last time.
    pub(super) fn has_news(&mut self) -> bool {
        std::mem::take(&mut self.is_news)
    }

    /// The filters whose subscriptions are set aside.
    pub(super) fn all_set_aside(&self) -> Vec<SetAside> {
        self.refusals.all_set_aside(Instant::now())
    }

    /// The problem of those, where there are any.
    pub(super) fn problem(&self) -> Option<Problem> {
        Problem::joined(self.all_set_aside().into_iter().map(|one| one.why).collect())
    }

    /// Returns when there may be something to do: programs want something else, a time has come, or messages were taken: those
    /// to acknowledge are returned. Cancel safe.
    pub(super) async fn something_to_do(&mut self) -> Vec<u16> {
        let next = self.next_time();
        let noting = &mut self.noting;
        tokio::select! {
            () = async { match noting { Some(noted) => drop(noted.await), None => pending().await } } => {
                // A disk that takes nothing keeps nobody subscribed: what is known here holds until the next start.
                self.noting = None;
                Vec::new()
            }
            changed = self.wanted.changed() => match changed {
                Ok(()) => Vec::new(),
                Err(_) => pending().await,
            },
            () = async { match next { Some(at) => sleep_until(at).await, None => pending().await } } => {
                self.is_news |= self.refusals.has_ended(Instant::now());
                Vec::new()
            }
            taken = self.receiver.taken() => taken,
        }
    }

    /// When something may be due because of the time. While AWS has not answered, no time changes anything.
    fn next_time(&self) -> Option<Instant> {
        if self.under_way.is_some() || self.noting.is_some() {
            return None;
        }
        let now = Instant::now();
        if let Some(quiet) = self.suspects.quiet_until().or(self.breaches.quiet_until()) {
            return Some(quiet);
        }
        let unsubscribe = self.unsubscribe_not_before.map(|(at, _)| at);
        let lingering = self.unwanted_since.values().map(|since| *since + LINGER);
        let lingering = lingering.map(|at| unsubscribe.map_or(at, |unsubscribe| at.max(unsubscribe)));
        let others = [
            self.refusals.next_end(now),
            self.breaches.settles_at(),
            unsubscribe.filter(|at| *at > now),
        ];
        lingering.chain(others.into_iter().flatten()).min()
    }

    fn refuse(&mut self, filter: &str, wanted: WantedFilter, least: Duration, why: Problem) {
        let news = self.refusals.refuse(filter, wanted, least, why);
        self.receiver.tell(news);
    }

    /// Notes what AWS has. The answer comes when that is on the disk.
    async fn note(&self) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let confirmed = self.confirmed.iter().map(|(filter, state)| (filter.clone(), *state));
        self.outbox.store_subscribed(confirmed.collect()).await
    }
}
