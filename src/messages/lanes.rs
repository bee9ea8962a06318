//! Which message is sent next: in the order of their acceptance within a topic, and no topic's backlog in another's way.
//!
//! Three lanes of message IDs. What was in flight when a connection was lost is sent `again` first. New messages go into
//! the `express` lane as long as nothing of their topic waits elsewhere; the others are the `backlog`, which is only a
//! position in the database: a million messages there take no memory. Express and backlog take turns.
//!
//! A message that AWS puts off stops its topic: what is behind it and not yet sent waits until it is through. What was in
//! flight behind it may have got through before it.

use std::collections::{BTreeMap, VecDeque};

use super::topics::{EXACT, Place, Topics};

/// Messages in the express lane: their IDs are all that is kept of them.
const EXPRESS: usize = 1024;
/// Messages of one topic in the express lane: a program that floods one topic leaves it to the others.
const EXPRESS_PER_TOPIC: u32 = 32;

/// Where to look for the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This very one.
    This(i64),
    /// The first one after this position that [`Lanes::is_express`] does not know.
    BacklogAfter(i64),
}

#[derive(Debug)]
pub(super) struct Lanes {
    topics: Topics,
    again: BTreeMap<i64, Place>,
    express: VecDeque<i64>,
    /// Those of the express lane that wait or are in flight, and where their topic is counted.
    express_known: BTreeMap<i64, Place>,
    /// Everything of the backlog up to here is in flight or gone.
    position: i64,
    backlog_waiting: u64,
    in_flight: BTreeMap<i64, Place>,
    /// Put off by AWS, and not through yet.
    put_off: BTreeMap<i64, Place>,
    express_had_its_turn: bool,
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self::with(EXACT)
    }

    fn with(topics: usize) -> Self {
        Self {
            topics: Topics::new(topics),
            again: BTreeMap::new(),
            express: VecDeque::new(),
            express_known: BTreeMap::new(),
            position: 0,
            backlog_waiting: 0,
            in_flight: BTreeMap::new(),
            put_off: BTreeMap::new(),
            express_had_its_turn: false,
        }
    }

    /// A message that was in the database before this start.
    pub(super) fn found(&mut self, topic: &str) {
        let place = self.topics.place(topic);
        self.topics.change(place, |counts| counts.backlog += 1);
        self.backlog_waiting += 1;
    }

    /// A message that was just accepted.
    pub(super) fn accepted(&mut self, id: i64, topic: &str) {
        let place = self.topics.place(topic);
        let counts = self.topics.counts(place);
        if counts.backlog == 0 && counts.express < EXPRESS_PER_TOPIC && self.express.len() < EXPRESS {
            self.express.push_back(id);
            self.express_known.insert(id, place);
            self.topics.change(place, |counts| counts.express += 1);
        } else {
            self.topics.change(place, |counts| counts.backlog += 1);
            self.backlog_waiting += 1;
        }
    }

    /// Whether anything waits to be sent.
    pub(super) fn any_waiting(&self) -> bool {
        !self.again.is_empty() || !self.express.is_empty() || self.backlog_waiting > 0
    }

    /// Where the next message is; `None` where nothing waits. Follow with [`sent`](Self::sent),
    /// [`not_now`](Self::not_now) or [`gone`](Self::gone).
    pub(super) fn next(&self, backlog_blocked: bool) -> Option<Next> {
        let mut again = self.again.iter();
        if let Some((id, _)) = again.find(|(id, place)| !self.is_stopped(**id, **place)) {
            return Some(Next::This(*id));
        }
        let backlog = (self.backlog_waiting > 0 && !backlog_blocked).then_some(Next::BacklogAfter(self.position));
        match self.next_express() {
            Some(id) if !self.express_had_its_turn || backlog.is_none() => Some(Next::This(id)),
            _ => backlog,
        }
    }

    fn next_express(&self) -> Option<i64> {
        let stopped = |id: &i64| {
            let place = self.express_known.get(id);
            place.is_some_and(|place| self.is_stopped(*id, *place))
        };
        self.express.iter().copied().find(|id| !stopped(id))
    }

    /// Whether an older message of the same topic was put off.
    fn is_stopped(&self, id: i64, place: Place) -> bool {
        self.put_off.range(..id).any(|(_, stopped)| *stopped == place)
    }

    /// Whether the message came through the express lane.
    pub(super) fn is_express(&self, id: i64) -> bool {
        self.express_known.contains_key(&id)
    }

    /// Whether a message of the backlog may be sent: nothing older of its topic waits in the express lane, or was put off.
    pub(super) fn may_follow(&self, id: i64, topic: &str) -> bool {
        let place = self.topics.place(topic);
        self.topics.counts(place).express == 0 && !self.is_stopped(id, place)
    }

    /// The message goes out now.
    pub(super) fn sent(&mut self, id: i64, topic: &str) {
        let place = if let Some(place) = self.again.remove(&id) {
            place
        } else if let Some(place) = self.express_known.get(&id) {
            remove(&mut self.express, id);
            self.express_had_its_turn = true;
            *place
        } else {
            self.position = id;
            self.backlog_waiting = self.backlog_waiting.saturating_sub(1);
            self.express_had_its_turn = false;
            self.topics.place(topic)
        };
        self.in_flight.insert(id, place);
    }

    /// The backlog's position says that there is more, and there is not.
    pub(super) fn backlog_is_empty(&mut self) {
        self.backlog_waiting = 0;
    }

    /// The message is done with, wherever it was: acknowledged, parked, dropped, deleted.
    pub(super) fn gone(&mut self, id: i64, topic: &str) {
        let was_in_flight = self.in_flight.remove(&id).is_some();
        let was_again = self.again.remove(&id).is_some();
        self.put_off.remove(&id);
        if let Some(place) = self.express_known.remove(&id) {
            self.topics
                .change(place, |counts| counts.express = counts.express.saturating_sub(1));
            if !was_in_flight && !was_again {
                remove(&mut self.express, id);
            }
        } else {
            let place = self.topics.place(topic);
            self.topics
                .change(place, |counts| counts.backlog = counts.backlog.saturating_sub(1));
            if !was_in_flight && !was_again {
                self.backlog_waiting = self.backlog_waiting.saturating_sub(1);
            }
        }
    }

    /// A message of a lane of IDs that is not in the database any more.
    pub(super) fn vanished(&mut self, id: i64) {
        self.in_flight.remove(&id);
        self.again.remove(&id);
        self.put_off.remove(&id);
        remove(&mut self.express, id);
        if let Some(place) = self.express_known.remove(&id) {
            self.topics
                .change(place, |counts| counts.express = counts.express.saturating_sub(1));
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
