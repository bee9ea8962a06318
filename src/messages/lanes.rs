//! Which message is sent next: accounts take turns, and within an account a topic's messages keep their order.
//!
//! What was in flight when a connection was lost is sent again first, in its order: there is no more of it than AWS allows in
//! flight. Everything else waits in the queue of its account, and each account sends one message in its turn, whatever the others
//! have queued. In a queue new messages go into the express lane as long as nothing of their topic waits elsewhere; the others
//! are the backlog, which is only a position in the database: a million messages there take no memory. Both take turns as well.
//!
//! A message that AWS puts off stops its topic: what is behind it and not yet sent waits until it is through. What was in
//! flight behind it may have got through before it. Two accounts that publish to one topic do not wait for each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::owner::Account;
use super::topics::{EXACT, Place, Topics};

/// Messages in the express lanes: their IDs are all that is kept of them.
const EXPRESS: usize = 4096;
/// Messages of one account there: it leaves room to the others.
const EXPRESS_PER_ACCOUNT: usize = 256;
/// Messages of one topic there: a program that floods one topic leaves the lane to its other topics.
const EXPRESS_PER_TOPIC: u32 = 32;

/// Where to look for the next message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This very one.
    This(i64),
    /// The account's first one after this position that [`Lanes::is_express`] does not know.
    BacklogAfter(Account, i64),
}

#[derive(Debug)]
pub(super) struct Lanes {
    topics: Topics,
    again: BTreeMap<i64, Place>,
    /// The accounts of which anything waits.
    queues: BTreeMap<Account, Queue>,
    /// The same accounts, in the order of their turns.
    turns: VecDeque<Account>,
    /// Those of the express lanes that wait or are in flight, and where their topic is counted.
    express_known: BTreeMap<i64, Place>,
    in_flight: BTreeMap<i64, Place>,
    /// Put off by AWS, and not through yet.
    put_off: BTreeMap<i64, Place>,
}

/// What waits of one account.
#[derive(Debug, Default)]
struct Queue {
    express: VecDeque<i64>,
    /// Everything of the backlog up to here is in flight or gone.
    position: i64,
    backlog_waiting: u64,
    express_had_its_turn: bool,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.express.is_empty() && self.backlog_waiting == 0
    }
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self::with(EXACT)
    }

    fn with(topics: usize) -> Self {
        Self {
            topics: Topics::new(topics),
            again: BTreeMap::new(),
            queues: BTreeMap::new(),
            turns: VecDeque::new(),
            express_known: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            put_off: BTreeMap::new(),
        }
    }

    /// A message that was in the database before this start.
    pub(super) fn found(&mut self, id: i64, account: &Account, topic: &str) {
        let place = self.topics.place(account, topic);
        self.topics.change(place, |counts| counts.backlog += 1);
        self.queue(id, account).backlog_waiting += 1;
    }

    /// A message that was just accepted.
    pub(super) fn accepted(&mut self, id: i64, account: &Account, topic: &str) {
        let place = self.topics.place(account, topic);
        let counts = self.topics.counts(place);
        let is_full = self.express_known.len() >= EXPRESS;
        let queue = self.queue(id, account);
        if counts.backlog == 0
            && counts.express < EXPRESS_PER_TOPIC
            && queue.express.len() < EXPRESS_PER_ACCOUNT
            && !is_full
        {
            queue.express.push_back(id);
            self.express_known.insert(id, place);
            self.topics.change(place, |counts| counts.express += 1);
        } else {
            queue.backlog_waiting += 1;
            self.topics.change(place, |counts| counts.backlog += 1);
        }
    }

    /// The queue in which the message `id` is going to wait; a new one takes the last turn.
    fn queue(&mut self, id: i64, account: &Account) -> &mut Queue {
        if !self.queues.contains_key(account) {
            self.turns.push_back(account.clone());
        }
        self.queues.entry(account.clone()).or_insert_with(|| Queue {
            // All older ones of the account are in flight or gone.
            position: id.saturating_sub(1),
            ..Queue::default()
        })
    }

    /// Whether anything waits to be sent.
    pub(super) fn any_waiting(&self) -> bool {
        !self.again.is_empty() || !self.queues.is_empty()
    }

    /// Where the next message is; `None` where nothing waits. The backlogs of the accounts in `blocked` are left out. Follow with
    /// [`sent`](Self::sent), [`vanished`](Self::vanished) or [`backlog_is_empty`](Self::backlog_is_empty).
    pub(super) fn next(&self, blocked: &BTreeSet<Account>) -> Option<Next> {
        let mut again = self.again.iter();
        if let Some((id, _)) = again.find(|(id, place)| !self.is_stopped(**id, **place)) {
            return Some(Next::This(*id));
        }
        self.turns.iter().find_map(|account| {
            let queue = self.queues.get(account)?;
            let has_backlog = queue.backlog_waiting > 0 && !blocked.contains(account);
            match self.next_express(queue) {
                Some(id) if !queue.express_had_its_turn || !has_backlog => Some(Next::This(id)),
                _ if has_backlog => Some(Next::BacklogAfter(account.clone(), queue.position)),
                _ => None,
            }
        })
    }

    fn next_express(&self, queue: &Queue) -> Option<i64> {
        let stopped = |id: &i64| {
            let place = self.express_known.get(id);
            place.is_some_and(|place| self.is_stopped(*id, *place))
        };
        queue.express.iter().copied().find(|id| !stopped(id))
    }

    /// Whether an older message of the same topic was put off.
    fn is_stopped(&self, id: i64, place: Place) -> bool {
        self.put_off.range(..id).any(|(_, stopped)| *stopped == place)
    }

    /// Whether the message came through an express lane.
    pub(super) fn is_express(&self, id: i64) -> bool {
        self.express_known.contains_key(&id)
    }

    /// Whether a message of the backlog may be sent: nothing older of its topic waits in the express lane, or was put off.
    pub(super) fn may_follow(&self, id: i64, account: &Account, topic: &str) -> bool {
        let place = self.topics.place(account, topic);
        self.topics.counts(place).express == 0 && !self.is_stopped(id, place)
    }

    /// The message goes out now.
    pub(super) fn sent(&mut self, id: i64, account: &Account, topic: &str) {
        let place = if let Some(place) = self.again.remove(&id) {
            place
        } else {
            let express = self.express_known.get(&id).copied();
            if let Some(queue) = self.queues.get_mut(account) {
                queue.express_had_its_turn = express.is_some();
                if express.is_some() {
                    remove(&mut queue.express, id);
                } else {
                    queue.position = id;
                    queue.backlog_waiting = queue.backlog_waiting.saturating_sub(1);
                }
            }
            self.end_turn(account);
            express.unwrap_or_else(|| self.topics.place(account, topic))
        };
        self.in_flight.insert(id, place);
    }

    /// The account's next turn comes after everybody else's, if it has one.
    fn end_turn(&mut self, account: &Account) {
        self.turns.retain(|other| other != account);
        match self.queues.get(account) {
            Some(queue) if queue.is_empty() => drop(self.queues.remove(account)),
            Some(_) => self.turns.push_back(account.clone()),
            None => {}
        }
    }

    /// Nothing may be left of the account's queue.
    fn tidy(&mut self, account: &Account) {
        if self.queues.get(account).is_some_and(Queue::is_empty) {
            self.queues.remove(account);
            self.turns.retain(|other| other != account);
        }
    }

    /// The backlog's position says that there is more, and there is not.
    pub(super) fn backlog_is_empty(&mut self, account: &Account) {
        if let Some(queue) = self.queues.get_mut(account) {
            queue.backlog_waiting = 0;
        }
        self.tidy(account);
    }

    /// The message is done with, wherever it was: acknowledged, parked, dropped, deleted.
    pub(super) fn gone(&mut self, id: i64, account: &Account, topic: &str) {
        let waited = self.in_flight.remove(&id).is_none() & self.again.remove(&id).is_none();
        self.put_off.remove(&id);
        let express = self.express_known.remove(&id);
        let place = express.unwrap_or_else(|| self.topics.place(account, topic));
        self.topics.change(place, |counts| {
            let count = match express {
                Some(_) => &mut counts.express,
                None => &mut counts.backlog,
            };
            *count = count.saturating_sub(1);
        });
        if let Some(queue) = self.queues.get_mut(account).filter(|_| waited) {
            match express {
                Some(_) => remove(&mut queue.express, id),
                None => queue.backlog_waiting = queue.backlog_waiting.saturating_sub(1),
            }
            self.tidy(account);
        }
    }

    /// A message that is known by its ID and not in the database any more.
    pub(super) fn vanished(&mut self, id: i64) {
        self.in_flight.remove(&id);
        self.again.remove(&id);
        self.put_off.remove(&id);
        if let Some(place) = self.express_known.remove(&id) {
            self.topics
                .change(place, |counts| counts.express = counts.express.saturating_sub(1));
            self.queues
                .values_mut()
                .for_each(|queue| remove(&mut queue.express, id));
            self.queues.retain(|_, queue| !queue.is_empty());
            self.turns.retain(|account| self.queues.contains_key(account));
        }
    }

    /// The connection is lost: what was in flight is sent again, in its order, before anything else.
    pub(super) fn connection_lost(&mut self) {
        self.again.append(&mut self.in_flight);
        self.put_off.clear();
    }

    /// A message that was in flight was not sent after all, or AWS could not take it: it is sent again.
    pub(super) fn again(&mut self, id: i64) {
        if let Some(place) = self.in_flight.remove(&id) {
            self.again.insert(id, place);
        }
    }

    /// The same, and what is behind it on its topic waits for it.
    pub(super) fn put_off(&mut self, id: i64) {
        if let Some(place) = self.in_flight.get(&id) {
            self.put_off.insert(id, *place);
            self.again(id);
        }
    }

    /// Whether the message is with the broker right now.
    pub(super) fn is_in_flight(&self, id: i64) -> bool {
        self.in_flight.contains_key(&id)
    }
}

fn remove(lane: &mut VecDeque<i64>, id: i64) {
    if let Some(index) = lane.iter().position(|known| *known == id) {
        lane.remove(index);
    }
}

#[cfg(test)]
mod tests;
