//! Keeps AWS's session subscribed to the topic filters that programs want.
//!
//! AWS stores subscriptions with the session, so a resumed session is not subscribed again (Device Advisor rejects a client that
//! does that), and a new one has none. The session outlives this process, so the filters that AWS has are stored on disk: as
//! uncertain before SUBSCRIBE or UNSUBSCRIBE is sent, and with the result once it is answered. After a crash in between, an
//! uncertain filter is subscribed to again if it is wanted, and unsubscribed from if it is not.
//!
//! `requests` selects and sends the next packet, `answers` handles AWS's answers, and `refusals` remembers refused filters.

pub(super) mod answers;
mod refusals;
pub(super) mod requests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use self::refusals::{MAX_DELAY, MIN_DELAY, Refusals};
use super::filter_errors::{FilterErrors, Verdict};
use super::inbound::Inbound;
use super::incoming_poison::IncomingPoison;
use super::poison_detector::PoisonDetector;
use super::problems;
use crate::clock::SharedClock;
use crate::cloud::mqtt::Lost;
use crate::messages::{DesiredFilter, DesiredFilters, Outbox, SessionEvent, StoreError, SubscriptionState};
use crate::mqtt::{LATEST_ANSWER, ProtocolError, ReasonCode, ServerLimits};
use crate::problem::Problem;

pub(super) use self::refusals::SetAside;

/// Time after which an unwanted filter is unsubscribed from. Programs that restart want it again soon.
const LINGER: Duration = Duration::from_secs(10);

/// State of the subscriber, which outlives connections.
#[derive(Debug)]
pub struct Subscriber {
    outbox: Outbox,
    desired: watch::Receiver<DesiredFilters>,
    clock: SharedClock,
    /// Messages and news for the inbox.
    pub(super) inbound: Inbound,
    /// Detects that the session itself ends every connection.
    poison: IncomingPoison,
    /// Detects that a filter ends every connection.
    filter_errors: FilterErrors,
    /// Limits of the server on this connection.
    limits: ServerLimits,
    /// Whether the database has no record of the filters that AWS has.
    has_no_record: bool,
    /// Filters that AWS has or may have.
    confirmed: BTreeMap<String, SubscriptionState>,
    /// The record that is being written. Nothing is requested meanwhile.
    writing: Option<oneshot::Receiver<Result<(), StoreError>>>,
    /// For each filter, the newest live stream when the filter was last requested.
    served_streams: HashMap<String, u64>,
    /// The SUBSCRIBE or UNSUBSCRIBE in flight: only one at a time, so that none overtakes another.
    in_flight: Option<InFlight>,
    unwanted_since: HashMap<String, Instant>,
    /// Time at which an unanswered UNSUBSCRIBE is sent again, and the length of that wait.
    unsubscribe_not_before: Option<(Instant, Duration)>,
    refusals: Refusals,
    suspects: PoisonDetector<String>,
    /// Whether the search for a filter that ends connections has made progress.
    made_progress: bool,
    /// Whether the set-aside filters have changed since they were last reported.
    has_changed: bool,
}

/// A request that AWS has not answered yet: its packet identifier, its filters, and the time of sending.
#[derive(Debug)]
enum InFlight {
    Subscribe(u16, Vec<(String, DesiredFilter)>, Instant),
    Unsubscribe(u16, Vec<String>, Instant),
}

impl Subscriber {
    /// Creates a subscriber to the filters in `wanted`, which sends messages and news to `events`.
    pub fn new(
        outbox: Outbox,
        desired: watch::Receiver<DesiredFilters>,
        events: mpsc::Sender<SessionEvent>,
        clock: SharedClock,
    ) -> Self {
        Self {
            outbox,
            desired,
            clock,
            inbound: Inbound::new(events),
            poison: IncomingPoison::default(),
            filter_errors: FilterErrors::default(),
            limits: ServerLimits::default(),
            has_no_record: false,
            confirmed: BTreeMap::new(),
            writing: None,
            served_streams: HashMap::new(),
            in_flight: None,
            unwanted_since: HashMap::new(),
            unsubscribe_not_before: None,
            refusals: Refusals::default(),
            suspects: PoisonDetector::default(),
            made_progress: false,
            has_changed: false,
        }
    }

    /// Reads the record of the filters that AWS has. If it cannot be read, every wanted filter is requested again.
    pub(super) async fn restore(&mut self) {
        let record = self.outbox.subscribed().await;
        self.has_no_record = matches!(record, Ok(None));
        self.confirmed = record.ok().flatten().into_iter().flatten().collect();
    }

    /// Returns whether AWS should discard the session. If the database is new, the session may have unknown filters, whose messages nobody
    /// receives and which count towards AWS's limits. Or a queued message ends every connection.
    pub(super) fn wants_clean_start(&self) -> bool {
        self.has_no_record || self.poison.clean_start_is_due()
    }

    /// Starts with a new connection. If the previous session was discarded because of a protocol error, returns that error.
    pub(super) async fn connected(&mut self, limits: ServerLimits) -> Option<ProtocolError> {
        self.limits = limits;
        let discarded = self.poison.connected(limits.session_present);
        self.filter_errors.connected(limits.session_present);
        self.suspects.connected();
        self.has_no_record = false;
        if !limits.session_present {
            self.inbound.tell(SessionEvent::NewSession);
            self.confirmed.clear();
            self.served_streams.clear();
            self.writing = self.store().await;
        }
        discarded
    }

    /// Records a failed attempt to connect.
    pub(super) fn connect_failed(&mut self) {
        self.suspects.connect_failed();
    }

    /// Handles the end of a connection; `suspicious` if a packet that was sent on it may be the cause.
    pub(super) async fn disconnected(&mut self, suspicious: bool, lost: Option<&Lost>) {
        let error = match lost {
            Some(Lost::Protocol(error)) => Some(*error),
            _ => None,
        };
        let verdict = self.filter_errors.disconnected(error.is_some());
        self.poison.disconnected(error, verdict != Verdict::Unrelated);
        self.made_progress |= verdict != Verdict::Unrelated;
        if let (Verdict::Blamed(filter), Some(error)) = (verdict, error) {
            self.set_aside(&filter, error);
        }
        let is_unanswered = matches!(lost, Some(Lost::Unanswered));
        match self.in_flight.take() {
            Some(InFlight::Subscribe(_, filters, since)) => {
                let names: Vec<String> = filters.iter().map(|(filter, _)| filter.clone()).collect();
                if is_unanswered && since.elapsed() >= LATEST_ANSWER {
                    self.handle_unanswered(names, &filters);
                } else if suspicious {
                    self.suspects.lost(names.into_iter(), since.elapsed());
                }
            }
            Some(InFlight::Unsubscribe(_, _, since)) if is_unanswered && since.elapsed() >= LATEST_ANSWER => {
                let before = self.unsubscribe_not_before.map(|(_, wait)| wait);
                let wait = before.map_or(MIN_DELAY, |before| (2 * before).min(MAX_DELAY));
                self.unsubscribe_not_before = Some((Instant::now() + wait, wait));
            }
            _ if suspicious => self.suspects.lost(std::iter::empty(), Duration::ZERO),
            _ => {}
        }
        self.inbound.disconnected();
    }

    /// Refuses a filter whose SUBSCRIBE AWS does not answer, if it was alone in it.
    fn handle_unanswered(&mut self, names: Vec<String>, filters: &[(String, DesiredFilter)]) {
        if let Some(filter) = self.suspects.unanswered(names)
            && let Some((_, desired)) = filters.iter().find(|(name, _)| *name == filter)
        {
            let why = problems::filter_unanswered(&filter);
            self.refuse(&filter, *desired, MIN_DELAY, why);
        }
    }

    /// Sets a filter aside because a protocol error follows its subscription each time. The other filters stay subscribed.
    fn set_aside(&mut self, filter: &str, error: ProtocolError) {
        let desired = self.desired.borrow().get(filter).copied().unwrap_or_default();
        let why = problems::filter_set_aside(filter, error);
        let event = self.refusals.set_aside(filter, desired, why, self.clock.wall());
        self.inbound.tell(event);
        self.has_changed = true;
    }

    /// Ends all waits after refusals and missing answers. Returns whether there was any.
    pub(super) fn ask_again(&mut self) -> bool {
        let now = Instant::now();
        let has_refused = self.refusals.end_all(now);
        self.has_changed |= self.refusals.has_ended(now);
        self.unsubscribe_not_before.take().is_some() || has_refused
    }

    /// Returns whether AWS has answered every request.
    pub(super) fn is_settled(&self) -> bool {
        self.in_flight.is_none() && self.writing.is_none()
    }

    /// Returns whether the search for a filter that ends connections has made progress since the last call.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.made_progress)
    }

    /// Returns whether the set-aside filters have changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Returns the filters that are set aside.
    pub(super) fn all_set_aside(&self) -> Vec<SetAside> {
        self.refusals.all_set_aside(Instant::now())
    }

    /// Returns the problem of the filters that are set aside.
    pub(super) fn problem(&self) -> Option<Problem> {
        Problem::joined(self.all_set_aside().into_iter().map(|filter| filter.why).collect())
    }

    /// Returns when a request may be due, or messages are to be acknowledged, which are returned with the code of each. Cancel safe.
    pub(super) async fn ready(&mut self) -> Vec<(u16, ReasonCode)> {
        let next = self.next_time();
        let writing = &mut self.writing;
        tokio::select! {
            () = async { match writing { Some(written) => drop(written.await), None => pending().await } } => {
                // If the disk is full, filters are subscribed to all the same; the record is only needed after a restart.
                self.writing = None;
                Vec::new()
            }
            changed = self.desired.changed() => match changed {
                Ok(()) => Vec::new(),
                Err(_) => pending().await,
            },
            () = async { match next { Some(at) => sleep_until(at).await, None => pending().await } } => {
                self.has_changed |= self.refusals.has_ended(Instant::now());
                Vec::new()
            }
            due = self.inbound.acknowledgements() => due,
        }
    }

    /// Returns the time of the next request that waits for a time. While a request is in flight, none is sent.
    fn next_time(&self) -> Option<Instant> {
        if self.in_flight.is_some() || self.writing.is_some() {
            return None;
        }
        let now = Instant::now();
        if let Some(quiet) = self.quiet_until() {
            return Some(quiet);
        }
        let unsubscribe = self.unsubscribe_not_before.map(|(at, _)| at);
        let lingering = self.unwanted_since.values().map(|since| *since + LINGER);
        let lingering = lingering.map(|at| unsubscribe.map_or(at, |unsubscribe| at.max(unsubscribe)));
        let others = [
            self.refusals.next_end(now),
            self.filter_errors.settles_at(),
            unsubscribe.filter(|at| *at > now),
        ];
        lingering.chain(others.into_iter().flatten()).min()
    }

    /// Whether UNSUBSCRIBE, to which AWS did not respond, must not be sent again yet.
    fn must_wait_to_unsubscribe(&self, now: Instant) -> bool {
        self.unsubscribe_not_before.is_some_and(|(at, _)| now < at)
    }

    /// Returns the time until which nothing may be requested.
    fn quiet_until(&self) -> Option<Instant> {
        self.suspects.quiet_until().or(self.filter_errors.quiet_until())
    }

    /// Refuses a filter for a time, and tells the inbox.
    fn refuse(&mut self, filter: &str, desired: DesiredFilter, least: Duration, why: Problem) {
        let event = self.refusals.refuse(filter, desired, least, why);
        self.inbound.tell(event);
    }

    /// Stores the filters that AWS has. The receiver returns when they are on disk.
    async fn store(&self) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let confirmed = self.confirmed.iter().map(|(filter, state)| (filter.clone(), *state));
        self.outbox.store_subscribed(confirmed.collect()).await
    }
}
