//! Decides which message is sent next: accounts take turns, and within an account the messages of a topic keep their order.
//!
//! Messages that were in flight when a connection was lost are retransmitted first, in their order; there are at most as many
//! as AWS allows in flight. All others wait in the queue of their account, and each account sends one message per turn,
//! however many the others have queued. A queue has two lanes, which take turns as well. A new message enters the express lane
//! as long as no message of its topic waits in the backlog. The backlog is only a position in the database, so that a million
//! messages in it take no memory.
//!
//! A message that AWS defers blocks its topic: later messages that are not sent yet wait until it is through. Those that were
//! in flight with it may arrive before it. Two accounts that publish to one topic do not wait for each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::topic_counts::{MAX_EXACT, TopicCounts, TopicKey};
use crate::messages::owner::Account;

/// Messages in all express lanes; only their numbers are in memory.
const MAX_EXPRESS: usize = 4096;
/// Messages of one account in its express lane, which leaves room to the others.
const MAX_EXPRESS_PER_ACCOUNT: usize = 256;
/// Messages of one topic in the express lane, so that a flood of one topic does not delay the program's other topics.
const MAX_EXPRESS_PER_TOPIC: u32 = 32;

/// Where to read the next message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::messages) enum Next {
    /// The message of this number.
    This(i64),
    /// The account's first message after this position for which [`Schedule::is_express`] is false.
    BacklogAfter(Account, i64),
}

/// Order in which the messages of the outbox are sent.
#[derive(Debug)]
pub(in crate::messages) struct Schedule {
    topics: TopicCounts,
    retransmit: BTreeMap<i64, TopicKey>,
    /// Queues of the accounts that have waiting messages.
    queues: BTreeMap<Account, Queue>,
    /// The same accounts in the order of their turns.
    turns: VecDeque<Account>,
    /// Messages of the express lanes that wait or are in flight.
    express: BTreeMap<i64, TopicKey>,
    in_flight: BTreeMap<i64, TopicKey>,
    /// Messages that AWS has deferred and that are not through yet.
    deferred: BTreeMap<i64, TopicKey>,
}

/// Waiting messages of one account.
#[derive(Debug, Default)]
struct Queue {
    express: VecDeque<i64>,
    /// All messages of the backlog up to this number are in flight or removed.
    position: i64,
    backlog_waiting: u64,
    express_was_last: bool,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.express.is_empty() && self.backlog_waiting == 0
    }
}

impl Schedule {
    pub(in crate::messages) fn new() -> Self {
        Self::with_exact_topics(MAX_EXACT)
    }

    fn with_exact_topics(max_exact: usize) -> Self {
        Self {
            topics: TopicCounts::new(max_exact),
            retransmit: BTreeMap::new(),
            queues: BTreeMap::new(),
            turns: VecDeque::new(),
            express: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            deferred: BTreeMap::new(),
        }
    }

    /// Adds a message that the database had at the start.
    pub(in crate::messages) fn add_stored(&mut self, id: i64, account: &Account, topic: &str) {
        let key = self.topics.key(account, topic);
        self.topics.update(key, |counts| counts.backlog += 1);
        self.queue_for(id, account).backlog_waiting += 1;
    }

    /// Adds a message that was just accepted.
    pub(in crate::messages) fn add_new(&mut self, id: i64, account: &Account, topic: &str) {
        let key = self.topics.key(account, topic);
        let counts = self.topics.get(key);
        let is_full = self.express.len() >= MAX_EXPRESS;
        let queue = self.queue_for(id, account);
        if counts.backlog == 0
            && counts.express < MAX_EXPRESS_PER_TOPIC
            && queue.express.len() < MAX_EXPRESS_PER_ACCOUNT
            && !is_full
        {
            queue.express.push_back(id);
            self.express.insert(id, key);
            self.topics.update(key, |counts| counts.express += 1);
        } else {
            queue.backlog_waiting += 1;
            self.topics.update(key, |counts| counts.backlog += 1);
        }
    }

    /// Returns the queue for the new message `id`. A new queue gets the last turn.
    fn queue_for(&mut self, id: i64, account: &Account) -> &mut Queue {
        if !self.queues.contains_key(account) {
            self.turns.push_back(account.clone());
        }
        self.queues.entry(account.clone()).or_insert_with(|| Queue {
            // All older messages of the account are in flight or removed.
            position: id.saturating_sub(1),
            ..Queue::default()
        })
    }

    /// Returns whether any message waits to be sent.
    pub(in crate::messages) fn any_waiting(&self) -> bool {
        !self.retransmit.is_empty() || !self.queues.is_empty()
    }

    /// Returns where the next message is; `None` if no message can be sent. Skips the backlogs of the accounts in `blocked`.
    /// Follow with [`start`](Self::start), [`forget_missing`](Self::forget_missing) or [`end_backlog`](Self::end_backlog).
    pub(in crate::messages) fn next(&self, blocked: &BTreeSet<Account>) -> Option<Next> {
        let mut retransmit = self.retransmit.iter();
        if let Some((id, _)) = retransmit.find(|(id, key)| !self.is_blocked(**id, **key)) {
            return Some(Next::This(*id));
        }
        self.turns.iter().find_map(|account| {
            let queue = self.queues.get(account)?;
            let has_backlog = queue.backlog_waiting > 0 && !blocked.contains(account);
            match self.next_express(queue) {
                Some(id) if !queue.express_was_last || !has_backlog => Some(Next::This(id)),
                _ if has_backlog => Some(Next::BacklogAfter(account.clone(), queue.position)),
                _ => None,
            }
        })
    }

    fn next_express(&self, queue: &Queue) -> Option<i64> {
        let is_blocked = |id: &i64| self.express.get(id).is_some_and(|key| self.is_blocked(*id, *key));
        queue.express.iter().copied().find(|id| !is_blocked(id))
    }

    /// Returns whether an older message of the same topic is deferred.
    fn is_blocked(&self, id: i64, key: TopicKey) -> bool {
        self.deferred.range(..id).any(|(_, deferred)| *deferred == key)
    }

    /// Returns whether the message is in an express lane, or was taken from it.
    pub(in crate::messages) fn is_express(&self, id: i64) -> bool {
        self.express.contains_key(&id)
    }

    /// Returns whether a message of the backlog may be sent: no older one of its topic is in the express lane or deferred.
    pub(in crate::messages) fn may_follow(&self, id: i64, account: &Account, topic: &str) -> bool {
        let key = self.topics.key(account, topic);
        self.topics.get(key).express == 0 && !self.is_blocked(id, key)
    }

    /// Marks a message as in flight, and ends its account's turn.
    pub(in crate::messages) fn start(&mut self, id: i64, account: &Account, topic: &str) {
        let key = if let Some(key) = self.retransmit.remove(&id) {
            key
        } else {
            let express = self.express.get(&id).copied();
            if let Some(queue) = self.queues.get_mut(account) {
                queue.express_was_last = express.is_some();
                if express.is_some() {
                    remove_from(&mut queue.express, id);
                } else {
                    queue.position = id;
                    queue.backlog_waiting = queue.backlog_waiting.saturating_sub(1);
                }
            }
            self.end_turn(account);
            express.unwrap_or_else(|| self.topics.key(account, topic))
        };
        self.in_flight.insert(id, key);
    }

    /// Puts the account's next turn, if it has one, after those of all others.
    fn end_turn(&mut self, account: &Account) {
        self.turns.retain(|other| other != account);
        match self.queues.get(account) {
            Some(queue) if queue.is_empty() => drop(self.queues.remove(account)),
            Some(_) => self.turns.push_back(account.clone()),
            None => {}
        }
    }

    fn remove_empty_queue(&mut self, account: &Account) {
        if self.queues.get(account).is_some_and(Queue::is_empty) {
            self.queues.remove(account);
            self.turns.retain(|other| other != account);
        }
    }

    /// Corrects an account's backlog that was expected to have more messages than the database.
    pub(in crate::messages) fn end_backlog(&mut self, account: &Account) {
        if let Some(queue) = self.queues.get_mut(account) {
            queue.backlog_waiting = 0;
        }
        self.remove_empty_queue(account);
    }

    /// Removes a message in any state: acknowledged, parked, dropped or purged.
    pub(in crate::messages) fn remove(&mut self, id: i64, account: &Account, topic: &str) {
        let was_waiting = self.in_flight.remove(&id).is_none() & self.retransmit.remove(&id).is_none();
        self.deferred.remove(&id);
        let express = self.express.remove(&id);
        let key = express.unwrap_or_else(|| self.topics.key(account, topic));
        self.topics.update(key, |counts| {
            let count = match express {
                Some(_) => &mut counts.express,
                None => &mut counts.backlog,
            };
            *count = count.saturating_sub(1);
        });
        if let Some(queue) = self.queues.get_mut(account).filter(|_| was_waiting) {
            match express {
                Some(_) => remove_from(&mut queue.express, id),
                None => queue.backlog_waiting = queue.backlog_waiting.saturating_sub(1),
            }
            self.remove_empty_queue(account);
        }
    }

    /// Removes a message that the database does not have any more.
    pub(in crate::messages) fn forget_missing(&mut self, id: i64) {
        self.in_flight.remove(&id);
        self.retransmit.remove(&id);
        self.deferred.remove(&id);
        if let Some(key) = self.express.remove(&id) {
            self.topics
                .update(key, |counts| counts.express = counts.express.saturating_sub(1));
            for queue in self.queues.values_mut() {
                remove_from(&mut queue.express, id);
            }
            self.queues.retain(|_, queue| !queue.is_empty());
            self.turns.retain(|account| self.queues.contains_key(account));
        }
    }

    /// Schedules everything that was in flight to be retransmitted first, in its order, because the connection is lost.
    pub(in crate::messages) fn connection_lost(&mut self) {
        self.retransmit.append(&mut self.in_flight);
        self.deferred.clear();
    }

    /// Schedules a message in flight to be sent again: it was not sent after all, or AWS could not accept it.
    pub(in crate::messages) fn retransmit(&mut self, id: i64) {
        if let Some(key) = self.in_flight.remove(&id) {
            self.retransmit.insert(id, key);
        }
    }

    /// Schedules a message in flight to be sent again, and blocks its topic until then.
    pub(in crate::messages) fn defer(&mut self, id: i64) {
        if let Some(key) = self.in_flight.get(&id) {
            self.deferred.insert(id, *key);
            self.retransmit(id);
        }
    }

    /// Returns whether the message was sent and AWS has not answered yet.
    pub(in crate::messages) fn is_in_flight(&self, id: i64) -> bool {
        self.in_flight.contains_key(&id)
    }
}

fn remove_from(lane: &mut VecDeque<i64>, id: i64) {
    if let Some(index) = lane.iter().position(|known| *known == id) {
        lane.remove(index);
    }
}

#[cfg(test)]
mod tests;
