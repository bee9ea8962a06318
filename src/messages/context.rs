//! What outlives a database: the bounds, the clock, where to report, and who waits for what.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use log::Level;
use tokio::sync::{oneshot, watch};

use super::Bounds;
use super::file::brief;
use super::kept::DurableSubscription;
use super::subscription_state::SubscriptionState;
use crate::clock::{SharedClock, build_date};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::status::{MessagesDetails, MessagesPhase, Reporter};
use crate::user_accounts::UserAccounts;

/// Those who wait for a message's fate, before it is looked which of them have given up.
const WAITING: usize = 1024;
/// Between two lines that messages are dropped.
const OVERFLOW: Duration = Duration::from_secs(3600);

/// What became of a message that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS has it.
    Acknowledged,
    /// AWS does not take it, and why: it is kept aside.
    Parked(String),
    /// It was dropped, and why.
    Dropped(String),
}

/// What outlives a database: the bounds, the clock, where to report, and who waits for what.
#[derive(Debug)]
pub(super) struct StoreContext {
    /// The bounds as they were when the last jobs were begun.
    pub(super) bounds: Bounds,
    configured: watch::Receiver<Bounds>,
    clock: SharedClock,
    pub(super) reporter: Reporter<MessagesPhase, MessagesDetails>,
    /// Rings when there may be something to send.
    pub(super) news: watch::Sender<()>,
    /// Rings when a durable subscription may have something to read.
    pub(super) stored: watch::Sender<()>,
    waiting: HashMap<i64, oneshot::Sender<Outcome>>,
    pub(super) counts: Counts,
    /// Durable subscriptions that no rule gives any more.
    pub(super) suspended: u64,
    /// Whether the database has yet to be told what follows, because it was begun in a broken one's place.
    pub(super) owed: bool,
    /// The durable subscriptions of a database that broke while it was in use: the next one has them as well.
    pub(super) to_keep: Vec<DurableSubscription>,
    /// The filters that AWS's side of the session has, if that is known.
    pub(super) subscribed: Option<Vec<(String, SubscriptionState)>>,
    /// No number is smaller: those of a database that was broken at the start are not known.
    pub(super) first_id: i64,
    /// The last message's number, which the next database goes on from.
    pub(super) last_id: i64,
    pub(super) set_aside: Option<String>,
    /// The accounts by which the disk is shared out.
    pub(super) user_accounts: UserAccounts,
    /// When the journal was told that messages are dropped, by the boottime clock.
    said: Option<Duration>,
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) accepted: u64,
    pub(super) acknowledged: u64,
    pub(super) parked: u64,
    pub(super) dropped: u64,
    pub(super) expired: u64,
    pub(super) refused: u64,
    pub(super) inbox_dropped: u64,
}

impl StoreContext {
    pub(super) fn new(
        mut configured: watch::Receiver<Bounds>,
        clock: SharedClock,
        reporter: Reporter<MessagesPhase, MessagesDetails>,
        news: watch::Sender<()>,
        stored: watch::Sender<()>,
    ) -> Self {
        let bounds = configured.borrow_and_update().clone();
        Self {
            bounds,
            configured,
            clock,
            reporter,
            news,
            stored,
            waiting: HashMap::new(),
            counts: Counts::default(),
            suspended: 0,
            owed: false,
            to_keep: Vec::new(),
            subscribed: None,
            first_id: 0,
            last_id: 0,
            set_aside: None,
            user_accounts: UserAccounts::default(),
            said: None,
        }
    }

    /// Takes on the bounds that were configured last.
    pub(super) fn take_bounds(&mut self) {
        if self.configured.has_changed().unwrap_or(false) {
            self.bounds = self.configured.borrow_and_update().clone();
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    /// The wall clock in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        ms(self.now())
    }

    /// How old something is that was noted down at `then`; nothing where either clock was not set.
    pub(super) fn age(&self, then: i64) -> Option<Duration> {
        let (now, set) = (self.now_ms(), ms(build_date()));
        let age = u64::try_from(now.checked_sub(then)?).ok()?;
        (then >= set && now >= set).then(|| Duration::from_millis(age))
    }

    /// Somebody waits for the message's fate.
    pub(super) fn waits(&mut self, id: i64, waiting: oneshot::Sender<Outcome>) {
        // Who has given up is forgotten now and then, so that a million messages do not leave a million of them behind.
        if self.waiting.len() >= WAITING {
            self.waiting.retain(|_, waiting| !waiting.is_closed());
        }
        self.waiting.insert(id, waiting);
    }

    /// Tells whoever waits what became of the message.
    pub(super) fn tell(&mut self, id: i64, fate: Outcome) {
        if let Some(waiting) = self.waiting.remove(&id) {
            let _ = waiting.send(fate);
        }
    }

    /// So many were dropped to make room for new ones; the journal hears of it once an hour.
    pub(super) fn made_room(&mut self, dropped: usize) {
        self.counts.dropped += u64::try_from(dropped).unwrap_or(0);
        let now = self.clock.boot();
        if dropped == 0 || self.said.is_some_and(|then| now.saturating_sub(then) < OVERFLOW) {
            return;
        }
        self.said = Some(now);
        journal!(
            Level::Warn, Event::OutboxOverflow;
            "outbox: it is full, and the oldest messages are dropped for new ones, {} since the start; next: gatepost status shows why none are sent",
            self.counts.dropped
        );
    }

    /// The database cannot be used.
    pub(super) fn failed(&self, problem: &Problem) {
        self.reporter.report(MessagesPhase::Failed, Some(problem.clone()));
    }

    /// The database was broken.
    pub(super) fn was_set_aside(&mut self, path: &Path, aside: &Path, error: &rusqlite::Error) {
        // What was in use is known here, but for the messages.
        let subscriptions = match self.owed {
            true => "the durable subscriptions go on without what waited for them",
            false => "its durable subscriptions are gone with it: their programs have to subscribe again",
        };
        journal!(
            Level::Error, Event::DatabaseSetAside;
            "messages: {} was broken ({}); it is now {}, and a new one was begun: what was accepted and not yet sent is in the old one, and {subscriptions}",
            path.display(), brief(error), aside.display()
        );
        self.set_aside = Some(aside.display().to_string());
        if !self.owed {
            // More than were ever used, as long as it was no more than one in a millisecond.
            self.first_id = self.now_ms();
        }
        self.owed = true;
        for (_, waiting) in self.waiting.drain() {
            let _ = waiting.send(Outcome::Dropped(
                "the message database was broken and set aside".to_owned(),
            ));
        }
    }
}

fn ms(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
