//! Selection of the topic filters to subscribe to, and to unsubscribe from, next.

use tokio::time::Instant;

use super::super::problems;
use super::refusals::{QUARANTINE, REFUSED};
use super::{LINGER, Subscriber, UnderWay};
use crate::cloud::mqtt::{MAX_FILTERS_PER_PACKET, NotSent, PacketSink};
use crate::messages::{MAX_FILTERS, SessionEvent, SubscriptionState, Wanted, WantedFilter, has_wildcard};
use crate::problem::Problem;
use crate::qos::Qos;
use crate::topic;

impl Subscriber {
    /// Sends what is to be sent now.
    pub(in crate::cloud::session) async fn go_on(&mut self, sink: &mut dyn PacketSink) {
        self.breaches.settle();
        if self.under_way.is_some() || self.noting.is_some() {
            return;
        }
        let now = Instant::now();
        let wanted = self.wanted.borrow_and_update().clone();
        if self.suspects.quiet_until().or(self.breaches.quiet_until()).is_some() {
            return;
        }
        self.refusals.tidy(&wanted, now);
        self.breaches.retain(|filter| wanted.contains_key(filter));
        self.unwanted_since.retain(|filter, _| !wanted.contains_key(filter));
        let filters = self.next_to_subscribe(&wanted, now);
        let new: Vec<&String> = filters
            .iter()
            .map(|(filter, _)| filter)
            .filter(|filter| !self.confirmed.contains_key(*filter))
            .collect();
        if self.confirmed.len() + new.len() > MAX_FILTERS {
            // AWS ends a connection with more. What lingers makes room at once; what is wanted waits for that.
            return self.give_up(self.unwanted(&wanted, now), sink).await;
        }
        if !new.is_empty() {
            // That AWS may have them is on the disk before it is asked for them, because its answer may be lost.
            let uncertain = new
                .into_iter()
                .map(|filter| (filter.clone(), SubscriptionState::Uncertain));
            let uncertain: Vec<_> = uncertain.collect();
            self.confirmed.extend(uncertain);
            self.noting = self.note().await;
            return;
        }
        if !filters.is_empty() {
            return self.subscribe(filters, now, sink);
        }
        let filters = self.no_longer_wanted(&wanted, now);
        self.give_up(filters, sink).await;
    }

    fn subscribe(&mut self, filters: Vec<(String, WantedFilter)>, now: Instant, sink: &mut dyn PacketSink) {
        let entries: Vec<(String, Qos)> = filters
            .iter()
            .map(|(filter, wanted)| (filter.clone(), wanted.qos))
            .collect();
        match sink.subscribe(&entries) {
            Ok(packet_id) => {
                for (filter, _) in &entries {
                    self.breaches.asked(filter);
                }
                self.under_way = Some(UnderWay::Subscribe(packet_id, filters, now));
            }
            Err(NotSent::WindowFull | NotSent::BufferFull | NotSent::AtMostOnceOnly) => {}
            Err(NotSent::Never(why)) => {
                for (filter, wanted) in filters {
                    let why = Problem::configuration(format!("topic filter {filter}: {why}"));
                    self.refuse(&filter, wanted, REFUSED, why);
                }
            }
        }
    }

    /// Two steps: that AWS may not have them any more is on the disk before it is told so, because its answer may be lost.
    async fn give_up(&mut self, mut filters: Vec<String>, sink: &mut dyn PacketSink) {
        filters.truncate(MAX_FILTERS_PER_PACKET);
        let waits = self.unsubscribe_not_before.is_some_and(|(at, _)| Instant::now() < at);
        if filters.is_empty() || waits {
            return;
        }
        let mut news = false;
        for filter in &filters {
            self.asked_for.remove(filter);
            let before = self.confirmed.insert(filter.clone(), SubscriptionState::Uncertain);
            news |= before != Some(SubscriptionState::Uncertain);
        }
        if news {
            self.noting = self.note().await;
        } else if let Ok(packet_id) = sink.unsubscribe(&filters) {
            self.under_way = Some(UnderWay::Unsubscribe(packet_id, filters, Instant::now()));
        }
    }

    fn unwanted(&self, wanted: &Wanted, now: Instant) -> Vec<String> {
        let unwanted = self
            .confirmed
            .keys()
            .filter(|filter| !wanted.contains_key(*filter) || self.refusals.is_set_aside(filter, now));
        unwanted.cloned().collect()
    }

    /// The filters of the next SUBSCRIBE: those that are suspected come last, and alone.
    fn next_to_subscribe(&mut self, wanted: &Wanted, now: Instant) -> Vec<(String, WantedFilter)> {
        let all = self.not_yet_subscribed(wanted, now);
        let (mut struck, mut filters): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(filter, _)| self.breaches.is_struck(filter));
        if filters.is_empty() && self.breaches.may_go_alone() {
            struck.truncate(1);
            return struck;
        }
        filters.truncate(match self.suspects.one_at_a_time() {
            true => 1,
            false => MAX_FILTERS_PER_PACKET,
        });
        filters
    }

    fn not_yet_subscribed(&mut self, wanted: &Wanted, now: Instant) -> Vec<(String, WantedFilter)> {
        let mut filters = Vec::new();
        for (filter, wanted) in wanted {
            if self.suspects.is_guilty(filter) {
                self.suspects.cleared(filter);
                self.refuse(filter, *wanted, QUARANTINE, problems::filter_drops(filter));
            }
            if let Some(news) = self.refusals.holds(filter, *wanted, now) {
                if let Some(news) = news {
                    self.receiver.tell(news);
                }
                continue;
            }
            if let Some(why) = self.limits.filter_refusal(filter) {
                let why = Problem::configuration(format!("topic filter {filter}: {why}"));
                self.refuse(filter, *wanted, REFUSED, why);
                continue;
            }
            let asked_for = self.asked_for.get(filter).copied().unwrap_or(0);
            match self.confirmed.get(filter) {
                Some(state) if state.serves(wanted.qos) => {
                    // One more program: AWS sends the retained message at each SUBSCRIBE, but for no wildcard.
                    let news = wanted.joined > asked_for;
                    if news && has_wildcard(filter) {
                        self.asked_for.insert(filter.clone(), wanted.joined);
                        self.receiver.tell(SessionEvent::Subscribed(filter.clone()));
                    } else if news {
                        filters.push((filter.clone(), *wanted));
                    }
                }
                _ => filters.push((filter.clone(), *wanted)),
            }
        }
        filters
    }

    fn no_longer_wanted(&mut self, wanted: &Wanted, now: Instant) -> Vec<String> {
        let mut filters = self.unwanted(wanted, now);
        filters.retain(|filter| {
            if wanted.contains_key(filter) {
                // It is set aside: AWS is to send nothing more on it.
                return true;
            }
            let since = *self.unwanted_since.entry(filter.clone()).or_insert(now);
            // What another one covers is of no use, and brings every message twice.
            let mut others = self.confirmed.keys().filter(|other| wanted.contains_key(*other));
            now >= since + LINGER || others.any(|other| topic::covers(other, filter))
        });
        filters
    }
}
