//! The inbox: who is subscribed to what, and each message on its way to all of them. It lives in the local wing.

mod bars;
mod durable;
mod rights;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use log::Level;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::held::Held;
use super::kept::{DurableSubscription, DurableSubscriptionError};
use super::owner::Owner;
use super::store::{Durability, Store};
use super::streams::{SessionEvent, Stream, Subscription};
use super::wanted::{MAX_FILTERS, Wanted, Wish, fewest, is_wild};
use crate::clock::SharedClock;
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::qos::Qos;
use crate::topic;
use crate::user_accounts::UserAccounts;

/// Between two tries to read the durable subscriptions of earlier starts.
const RETRY: Duration = Duration::from_secs(5);
/// Streams of one reader.
const PER_READER: usize = 32;
/// Streams in all; half of the connections that the socket takes.
const TOTAL: usize = 256;

/// Who is subscribed to what.
#[derive(Debug)]
pub struct Inbox {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    wanted: watch::Sender<Wanted>,
    stored: watch::Receiver<()>,
    pub(super) streams: RefCell<Vec<Rc<Stream>>>,
    pub(super) kept: RefCell<Vec<DurableSubscription>>,
    /// Whether the durable subscriptions of earlier starts are among them.
    pub(super) known: Cell<bool>,
    /// Who was cut off, and does not get a new stream yet.
    bars: RefCell<bars::Bars>,
    /// Whether the rules give a durable subscription's filter to its owner.
    rights: RefCell<Option<rights::Rights>>,
    /// The durable subscriptions that no rule gives their owners any more.
    pub(super) suspended: RefCell<BTreeSet<String>>,
    /// What the disk has not taken yet.
    pub(super) held: Held,
    /// Durable subscriptions that have begun in this run.
    pub(super) new: RefCell<BTreeMap<String, Begun>>,
    /// Whether AWS has begun a new session in this run.
    pub(super) session_is_new: Cell<bool>,
    /// Filters that AWS has refused the last time.
    refused: RefCell<BTreeSet<String>>,
    joined: Cell<u64>,
}

/// A durable subscription that has begun in this run.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// When AWS had accepted it, by the boottime clock.
    pub(super) confirmed: Option<Duration>,
    /// The topics whose retained messages it has had.
    pub(super) retained: BTreeSet<String>,
}

/// Who subscribes to what.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Who it is; the limits go by this.
    pub reader: String,
    /// Who owns it, if it is a durable one.
    pub owner: Owner,
    /// The accounts that owners count for.
    pub accounts: Arc<UserAccounts>,
    /// What for: checked, placeholders filled in.
    pub filter: String,
    /// The quality of service.
    pub qos: Qos,
    /// How many different filters this reader may have.
    pub most_filters: usize,
}

/// Why somebody is not subscribed.
#[derive(Clone, Debug)]
pub enum SubscribeError {
    /// The reader was cut off because it did not read, and is barred for so long.
    Barred(Duration),
    /// The reader, or all together, have too many streams.
    TooManyStreams(usize),
    /// AWS takes no more filters.
    TooManyFilters(usize),
    /// The reader has its share of them.
    TooManyOfOne(usize),
    /// The durable subscription cannot be had.
    DurableSubscriptionError(DurableSubscriptionError),
    /// The disk.
    Unusable(Problem),
}

/// What is to be done when a program leaves.
#[derive(Debug)]
pub(super) struct Leave(Weak<Inbox>);

impl Leave {
    pub(super) fn left(&self, stream: &Rc<Stream>) {
        if let Some(inbox) = self.0.upgrade() {
            inbox.streams.borrow_mut().retain(|known| !Rc::ptr_eq(known, stream));
            inbox.want();
        }
    }
}

impl Inbox {
    pub(super) fn new(
        store: Store,
        clock: SharedClock,
        wanted: watch::Sender<Wanted>,
        stored: watch::Receiver<()>,
    ) -> Self {
        Self {
            store,
            clock,
            wanted,
            stored,
            streams: RefCell::default(),
            kept: RefCell::default(),
            known: Cell::new(false),
            bars: RefCell::default(),
            rights: RefCell::default(),
            suspended: RefCell::default(),
            held: Held::default(),
            new: RefCell::default(),
            session_is_new: Cell::new(false),
            refused: RefCell::default(),
            joined: Cell::new(0),
        }
    }

    /// Hands out what arrives, until the session has ended.
    pub async fn run(self: Rc<Self>, mut arrivals: mpsc::Receiver<SessionEvent>) {
        spawn_local(self.clone().remember());
        spawn_local(self.clone().keep_what_is_held());
        while let Some(arrival) = arrivals.recv().await {
            match arrival {
                SessionEvent::Message(message, taken) => self.hand_out(message, taken).await,
                SessionEvent::NewSession => self.new_session(),
                SessionEvent::Subscribed(filter) => self.confirmed(&filter),
                SessionEvent::Refused(filter, why) => self.refused(&filter, &why),
            }
        }
    }

    async fn remember(self: Rc<Self>) {
        loop {
            let known = self.store.run(Durability::Reads, |database| {
                Ok(database.kept.values().cloned().collect())
            });
            match known.await {
                Ok(kept) => {
                    self.kept.replace(kept);
                    self.known.set(true);
                    self.judge_kept();
                    if self.session_is_new.get() {
                        self.all_begin_again();
                    }
                    self.held.are_for(|message| self.names_for(message));
                    return self.want();
                }
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    /// A stream of what `subscriber` wants, from now on.
    ///
    /// # Errors
    /// When a limit is reached.
    pub fn subscribe(self: &Rc<Self>, subscriber: &Subscriber) -> Result<Subscription, SubscribeError> {
        if let Some(left) = self.bars.borrow().left(&subscriber.reader, self.clock.boot()) {
            return Err(SubscribeError::Barred(left));
        }
        self.join(subscriber, None)
    }

    fn join(self: &Rc<Self>, subscriber: &Subscriber, kept: Option<&str>) -> Result<Subscription, SubscribeError> {
        let Subscriber {
            reader, filter, qos, ..
        } = subscriber;
        if kept.is_none() {
            self.has_a_share_left(subscriber, None)?;
        }
        {
            let streams = self.streams.borrow();
            let same_reader = streams.iter().filter(|stream| stream.reader == *reader).count();
            if same_reader >= PER_READER || streams.len() >= TOTAL {
                return Err(SubscribeError::TooManyStreams(PER_READER));
            }
        }
        self.joined.set(self.joined.get() + 1);
        let stream = Rc::new(Stream::new(filter, *qos, reader, kept, self.joined.get()));
        self.streams.borrow_mut().push(stream.clone());
        let wanted = self.fewest();
        if wanted.len() > MAX_FILTERS && !self.wanted.borrow().contains_key(filter) {
            self.streams.borrow_mut().retain(|known| !Rc::ptr_eq(known, &stream));
            return Err(SubscribeError::TooManyFilters(MAX_FILTERS));
        }
        self.publish(wanted);
        if kept.is_none() {
            let (watched, inbox) = (stream.clone(), Rc::downgrade(self));
            spawn_local(async move {
                if watched.watch().await
                    && let Some(inbox) = inbox.upgrade()
                {
                    inbox.was_cut(&watched);
                }
            });
        }
        Ok(Subscription::new(stream, Leave(Rc::downgrade(self))))
    }

    /// Whether the reader may have one more filter, beside those of its streams and of its durable subscriptions but `name`.
    fn has_a_share_left(&self, subscriber: &Subscriber, name: Option<&str>) -> Result<(), SubscribeError> {
        let (streams, kept) = (self.streams.borrow(), self.kept.borrow());
        let live = streams
            .iter()
            .filter(|stream| stream.reader == subscriber.reader && (name.is_none() || stream.kept.as_deref() != name));
        let durable = kept.iter().filter(|kept| {
            kept.owner.shares_with(&subscriber.owner, &subscriber.accounts) && Some(kept.name.as_str()) != name
        });
        let mut filters: BTreeSet<&str> = live.map(|stream| stream.filter.as_str()).collect();
        filters.extend(durable.map(|kept| kept.filter.as_str()));
        filters.insert(&subscriber.filter);
        match filters.len() > subscriber.most_filters {
            true => Err(SubscribeError::TooManyOfOne(subscriber.most_filters)),
            false => Ok(()),
        }
    }

    #[cfg(test)]
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// A stream was ended because its program did not read.
    pub(super) fn was_cut(&self, stream: &Rc<Stream>) {
        self.bars.borrow_mut().add(&stream.reader, self.clock.boot());
        journal!(
            Level::Warn, Event::ReaderCut, TOPIC = stream.filter.as_str();
            "inbox: {} was cut off from {}, because it did not read", stream.reader, stream.filter
        );
        self.streams.borrow_mut().retain(|known| !Rc::ptr_eq(known, stream));
        self.want();
    }

    /// Ends the streams that their programs may not have any more: the rules have changed.
    pub fn look_who_may(&self) {
        for stream in self.streams.borrow().iter().filter(|stream| !stream.is_allowed()) {
            journal!(
                Level::Info, Event::AccessRefused, TOPIC = stream.filter.as_str();
                "inbox: the subscription of {} to {} has ended: no rule gives it any more", stream.reader, stream.filter
            );
            stream.end(
                "not_allowed",
                "no access rule gives this subscription any more",
                Some("gatepost check --as USER says what is given, and by which rule"),
            );
        }
        self.streams.borrow_mut().retain(|stream| !stream.has_ended());
        self.judge_kept();
        self.want();
    }

    /// Ends all streams: the daemon ends.
    pub fn close(&self) {
        for stream in self.streams.borrow().iter() {
            stream.end(
                "ending",
                "gatepost is ending",
                Some("subscribe again: it is started anew as a rule"),
            );
        }
    }

    fn confirmed(&self, filter: &str) {
        let now = self.clock.boot();
        self.refused.borrow_mut().remove(filter);
        // AWS sends retained messages for filters without wildcards only, so those that are covered have nothing to wait for.
        let covered = |stream: &&Rc<Stream>| {
            stream.filter == filter || (is_wild(&stream.filter) && topic::covers(filter, &stream.filter))
        };
        for stream in self.streams.borrow().iter().filter(covered) {
            stream.confirmed.set(stream.confirmed.get().or(Some(now)));
        }
        for kept in self.kept.borrow().iter().filter(|kept| kept.filter == filter) {
            if let Some(begun) = self.new.borrow_mut().get_mut(&kept.name) {
                begun.confirmed = begun.confirmed.or(Some(now));
            }
        }
        self.want();
    }

    fn refused(&self, filter: &str, why: &Problem) {
        // A smaller filter may be allowed where a larger one is not: what this one covered is asked for by itself now.
        self.refused.borrow_mut().insert(filter.to_owned());
        for stream in self.streams.borrow().iter().filter(|stream| stream.filter == filter) {
            stream.end("refused", &why.message, why.next_step.as_deref());
        }
        self.streams.borrow_mut().retain(|stream| !stream.has_ended());
        self.want();
    }

    fn fewest(&self) -> Wanted {
        self.fewest_with(None)
    }

    /// The fewest filters for all wishes, with this one in the place of those for the durable subscription of that name.
    fn fewest_with(&self, instead: Option<(&str, &Subscriber)>) -> Wanted {
        let stays = |kept: Option<&str>| kept.is_none() || kept != instead.map(|(name, _)| name);
        let (streams, kept, refused) = (self.streams.borrow(), self.kept.borrow(), self.refused.borrow());
        let of_streams = streams.iter().filter(|stream| stays(stream.kept.as_deref()));
        let of_streams = of_streams.map(|stream| Wish {
            filter: &stream.filter,
            qos: stream.qos,
            fresh: stream.kept.is_none() && stream.confirmed.get().is_none(),
            joined: if stream.kept.is_none() { stream.joined } else { 0 },
            asked: stream.joined,
            refused: refused.contains(&stream.filter),
        });
        let suspended = self.suspended.borrow();
        let of_kept = kept.iter().filter(|kept| stays(Some(&kept.name)));
        let of_kept = of_kept.filter(|kept| !suspended.contains(&kept.name));
        let of_kept = of_kept.map(|kept| Wish {
            filter: &kept.filter,
            qos: kept.qos,
            fresh: false,
            joined: 0,
            asked: 0,
            refused: refused.contains(&kept.filter),
        });
        let new = instead.map(|(_, subscriber)| Wish {
            filter: &subscriber.filter,
            qos: subscriber.qos,
            fresh: false,
            joined: 0,
            asked: 0,
            refused: false,
        });
        fewest(of_streams.chain(of_kept).chain(new))
    }

    /// Tells the session what is wanted now.
    pub(super) fn want(&self) {
        self.publish(self.fewest());
    }

    fn publish(&self, wanted: Wanted) {
        self.wanted.send_if_modified(|known| {
            let news = *known != wanted;
            if news {
                *known = wanted;
            }
            news
        });
    }
}
