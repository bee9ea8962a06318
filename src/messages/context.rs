//! State of the store that survives its database: bounds, clock, status, and what the next database must know.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use log::Level;
use tokio::sync::{oneshot, watch};

use super::bounds::Bounds;
use super::inbox::durable::subscription::DurableSubscription;
use super::outbox::outcome::Outcome;
use super::store::error::describe;
use super::subscription_state::SubscriptionState;
use crate::clock::{SharedClock, build_date};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::status::{MessagesDetails, MessagesPhase, Reporter};
use crate::user_accounts::UserAccounts;

/// Number of waiting callers from which those that have given up are removed.
const WAITERS_BEFORE_CLEANUP: usize = 1024;
/// Between two journal entries about dropped messages.
const OVERFLOW_INTERVAL: Duration = Duration::from_secs(3600);

/// State of the store that survives its database.
#[derive(Debug)]
pub(super) struct StoreContext {
    /// Bounds when the current batch of jobs began.
    pub(super) bounds: Bounds,
    configured: watch::Receiver<Bounds>,
    clock: SharedClock,
    pub(super) reporter: Reporter<MessagesPhase, MessagesDetails>,
    /// Notifies the session that a message may be ready to be sent.
    pub(super) outbox_changed: watch::Sender<()>,
    /// Notifies the inbox that a durable subscription may have a new message.
    pub(super) durable_changed: watch::Sender<()>,
    waiters: HashMap<i64, oneshot::Sender<Outcome>>,
    pub(super) counts: Counts,
    /// Number of durable subscriptions that no rule allows any more.
    pub(super) suspended: u64,
    /// State that the database still lacks, because it replaces a corrupt one.
    pub(super) recovery: Recovery,
    /// Filters that AWS's side of the session has, if known.
    pub(super) subscribed: Option<Vec<(String, SubscriptionState)>>,
    /// Lower bound for new message numbers: those of a database that was corrupt at the start are unknown.
    pub(super) first_id: i64,
    /// Number of the last message, from which the next database continues.
    pub(super) last_id: i64,
    pub(super) set_aside: Option<String>,
    /// Finds the account of a user, for the limits of durable subscriptions.
    pub(super) user_accounts: UserAccounts,
    /// When the journal last had an entry about dropped messages, by the boottime clock.
    overflow_logged: Option<Duration>,
}

/// State of a corrupt database that is still to be written to the one that replaces it.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Whether anything is still to be written.
    pub(super) pending: bool,
    /// Durable subscriptions of a database that became corrupt while it was in use.
    pub(super) durable: Vec<DurableSubscription>,
}

/// Number of messages by outcome since the start.
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
        outbox_changed: watch::Sender<()>,
        durable_changed: watch::Sender<()>,
    ) -> Self {
        let bounds = configured.borrow_and_update().clone();
        Self {
            bounds,
            configured,
            clock,
            reporter,
            outbox_changed,
            durable_changed,
            waiters: HashMap::new(),
            counts: Counts::default(),
            suspended: 0,
            recovery: Recovery::default(),
            subscribed: None,
            first_id: 0,
            last_id: 0,
            set_aside: None,
            user_accounts: UserAccounts::default(),
            overflow_logged: None,
        }
    }

    /// Applies the newest configured bounds.
    pub(super) fn update_bounds(&mut self) {
        if self.configured.has_changed().unwrap_or(false) {
            self.bounds = self.configured.borrow_and_update().clone();
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    /// Returns the wall clock's time in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> i64 {
        milliseconds(self.now())
    }

    /// Returns the age of something recorded at `then`; `None` if the clock was not set then, or is not set now.
    pub(super) fn age(&self, then: i64) -> Option<Duration> {
        let (now, earliest) = (self.now_ms(), milliseconds(build_date()));
        let age = u64::try_from(now.checked_sub(then)?).ok()?;
        (then >= earliest && now >= earliest).then(|| Duration::from_millis(age))
    }

    /// Registers a caller who waits for the outcome of a message.
    pub(super) fn add_waiter(&mut self, id: i64, waiter: oneshot::Sender<Outcome>) {
        // Callers that have given up are removed, so that a million messages do not leave a million channels.
        if self.waiters.len() >= WAITERS_BEFORE_CLEANUP {
            self.waiters.retain(|_, waiter| !waiter.is_closed());
        }
        self.waiters.insert(id, waiter);
    }

    /// Reports the outcome of a message to the caller who waits for it.
    pub(super) fn report_outcome(&mut self, id: i64, outcome: Outcome) {
        if let Some(waiter) = self.waiters.remove(&id) {
            let _ = waiter.send(outcome);
        }
    }

    /// Counts messages that were dropped to make room for new ones; logs that at most once an hour.
    pub(super) fn count_overflow(&mut self, dropped: usize) {
        self.counts.dropped += u64::try_from(dropped).unwrap_or(0);
        let now = self.clock.boot();
        let is_recent = |then| now.saturating_sub(then) < OVERFLOW_INTERVAL;
        if dropped == 0 || self.overflow_logged.is_some_and(is_recent) {
            return;
        }
        self.overflow_logged = Some(now);
        journal!(
            Level::Warn, Event::OutboxOverflow;
            "outbox: full; the oldest messages are dropped to make room for new ones, {} since the start; next: gatepost status shows why none are sent",
            self.counts.dropped
        );
    }

    /// Reports that the database cannot be used.
    pub(super) fn report_failure(&self, problem: &Problem) {
        self.reporter.report(MessagesPhase::Failed, Some(problem.clone()));
    }

    /// Records that the database was corrupt and was moved to `aside`.
    pub(super) fn record_set_aside(&mut self, path: &Path, aside: &Path, error: &rusqlite::Error) {
        // If the database was in use, all but its messages is known.
        let was_in_use = self.recovery.pending;
        let subscriptions = match was_in_use {
            true => "the durable subscriptions continue without the messages that were stored for them",
            false => "its durable subscriptions are lost: their programs have to subscribe again",
        };
        journal!(
            Level::Error, Event::DatabaseSetAside;
            "messages: {} was corrupt ({}); it was moved to {} and recreated: messages that were accepted and not yet sent are in the old file, and {subscriptions}",
            path.display(), describe(error), aside.display()
        );
        self.set_aside = Some(aside.display().to_string());
        if !was_in_use {
            // Larger than any used number, unless there was more than one message in each millisecond since 1970.
            self.first_id = self.now_ms();
        }
        self.recovery.pending = true;
        for (_, waiter) in self.waiters.drain() {
            let _ = waiter.send(Outcome::Dropped(
                "the message database was corrupt and was moved aside".to_owned(),
            ));
        }
    }
}

/// Converts a time to milliseconds since 1970.
pub(super) fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
