//! Selects the topic filters to subscribe to, or to unsubscribe from, and sends the packets.

use tokio::time::Instant;

use super::refusals::{MAX_DELAY, MIN_DELAY, Verdict};
use super::{InFlight, LINGER, Subscriber};
use crate::cloud::mqtt::{MAX_FILTERS_PER_PACKET, NotSent, PacketSink};
use crate::cloud::session::problems;
use crate::messages::{DesiredFilter, DesiredFilters, MAX_FILTERS, SessionEvent, SubscriptionState, has_wildcard};
use crate::problem::Problem;
use crate::qos::Qos;
use crate::topic;

/// Sends the next SUBSCRIBE or UNSUBSCRIBE, if one is needed and none is in flight.
pub(in crate::cloud::session) async fn drive(subscriber: &mut Subscriber, sink: &mut dyn PacketSink) {
    subscriber.filter_errors.settle();
    if subscriber.in_flight.is_some() || subscriber.writing.is_some() {
        return;
    }
    let now = Instant::now();
    let desired = subscriber.desired.borrow_and_update().clone();
    if subscriber.quiet_until().is_some() {
        return;
    }
    subscriber.refusals.tidy(&desired, now);
    subscriber.filter_errors.retain(|filter| desired.contains_key(filter));
    subscriber
        .unwanted_since
        .retain(|filter, _| !desired.contains_key(filter));
    let filters = next_to_subscribe(subscriber, &desired, now);
    let lower = unwanted_with_lower_qos(subscriber, &desired, &filters, now);
    if !lower.is_empty() && !subscriber.must_wait_to_unsubscribe(now) {
        return unsubscribe(subscriber, lower, sink).await;
    }
    let new: Vec<&String> = filters
        .iter()
        .map(|(filter, _)| filter)
        .filter(|filter| !subscriber.confirmed.contains_key(*filter))
        .collect();
    if subscriber.confirmed.len() + new.len() > MAX_FILTERS {
        // AWS closes a connection with more filters. Unwanted ones are dropped without lingering, and the new ones wait for that.
        let unwanted = unwanted(subscriber, &desired, now);
        return unsubscribe(subscriber, unwanted, sink).await;
    }
    if !new.is_empty() {
        // AWS's answer may be lost, so the possible subscription is stored before the request is sent.
        let uncertain = new
            .into_iter()
            .map(|filter| (filter.clone(), SubscriptionState::Uncertain));
        let uncertain: Vec<_> = uncertain.collect();
        subscriber.confirmed.extend(uncertain);
        subscriber.writing = subscriber.store().await;
        return;
    }
    if !filters.is_empty() {
        return subscribe(subscriber, filters, now, sink);
    }
    let filters = no_longer_wanted(subscriber, &desired, now);
    unsubscribe(subscriber, filters, sink).await;
}

/// Sends SUBSCRIBE.
fn subscribe(
    subscriber: &mut Subscriber,
    filters: Vec<(String, DesiredFilter)>,
    now: Instant,
    sink: &mut dyn PacketSink,
) {
    let entries: Vec<(String, Qos)> = filters
        .iter()
        .map(|(filter, desired)| (filter.clone(), desired.qos))
        .collect();
    match sink.subscribe(&entries) {
        Ok(packet_id) => {
            for (filter, _) in &entries {
                subscriber.filter_errors.subscribing(filter);
            }
            subscriber.in_flight = Some(InFlight::Subscribe(packet_id, filters, now));
        }
        Err(NotSent::WindowFull | NotSent::BufferFull | NotSent::AtMostOnceOnly) => {}
        Err(NotSent::Never(why)) => {
            for (filter, desired) in filters {
                let why = Problem::configuration(format!("topic filter {filter}: {why}"));
                subscriber.refuse(&filter, desired, MIN_DELAY, why);
            }
        }
    }
}

/// Unsubscribes in two steps. AWS's answer may be lost, so the first call stores that the subscriptions are uncertain, and a later call
/// sends UNSUBSCRIBE.
async fn unsubscribe(subscriber: &mut Subscriber, mut filters: Vec<String>, sink: &mut dyn PacketSink) {
    filters.truncate(MAX_FILTERS_PER_PACKET);
    if filters.is_empty() || subscriber.must_wait_to_unsubscribe(Instant::now()) {
        return;
    }
    let mut has_changed = false;
    for filter in &filters {
        subscriber.served_streams.remove(filter);
        let before = subscriber
            .confirmed
            .insert(filter.clone(), SubscriptionState::Uncertain);
        has_changed |= before != Some(SubscriptionState::Uncertain);
    }
    if has_changed {
        subscriber.writing = subscriber.store().await;
    } else if let Ok(packet_id) = sink.unsubscribe(&filters) {
        subscriber.in_flight = Some(InFlight::Unsubscribe(packet_id, filters, Instant::now()));
    }
}

/// Returns the filters that AWS has and that are not wanted, or are set aside.
fn unwanted(subscriber: &Subscriber, desired: &DesiredFilters, now: Instant) -> Vec<String> {
    let unwanted = subscriber
        .confirmed
        .keys()
        .filter(|filter| !desired.contains_key(*filter) || subscriber.refusals.is_set_aside(filter, now));
    unwanted.cloned().collect()
}

/// Returns the unwanted filters that cover one of these and have a lower quality of service. A broker may send a message once for
/// overlapping subscriptions, so a program might get it at the lower one.
fn unwanted_with_lower_qos(
    subscriber: &Subscriber,
    desired: &DesiredFilters,
    filters: &[(String, DesiredFilter)],
    now: Instant,
) -> Vec<String> {
    let mut lower = unwanted(subscriber, desired, now);
    lower.retain(|outer| {
        let state = subscriber.confirmed.get(outer);
        let mut covered = filters.iter().filter(|(filter, _)| topic::covers(outer, filter));
        covered.any(|(_, desired)| state.is_some_and(|state| !state.serves(desired.qos)))
    });
    lower
}

/// Returns the filters of the next SUBSCRIBE. Filters with a strike are subscribed to last, and one at a time.
fn next_to_subscribe(
    subscriber: &mut Subscriber,
    desired: &DesiredFilters,
    now: Instant,
) -> Vec<(String, DesiredFilter)> {
    let all = not_yet_subscribed(subscriber, desired, now);
    let (mut struck, mut filters): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(filter, _)| subscriber.filter_errors.is_struck(filter));
    if filters.is_empty() && subscriber.filter_errors.may_go_alone() {
        struck.truncate(1);
        return struck;
    }
    filters.truncate(match subscriber.suspects.one_at_a_time() {
        true => 1,
        false => MAX_FILTERS_PER_PACKET,
    });
    filters
}

/// Returns the wanted filters that AWS does not have, and that may be requested now. Reports filters that are refused.
fn not_yet_subscribed(
    subscriber: &mut Subscriber,
    desired: &DesiredFilters,
    now: Instant,
) -> Vec<(String, DesiredFilter)> {
    let mut filters = Vec::new();
    for (filter, desired) in desired {
        if subscriber.suspects.is_guilty(filter) {
            subscriber.suspects.cleared(filter);
            subscriber.refuse(filter, *desired, MAX_DELAY, problems::filter_drops(filter));
        }
        match subscriber.refusals.check(filter, *desired, now) {
            Verdict::Allowed => {}
            Verdict::Refused => continue,
            Verdict::RefusedAgain(event) => {
                subscriber.inbound.tell(event);
                continue;
            }
        }
        if let Some(why) = subscriber.limits.filter_refusal(filter) {
            let why = Problem::configuration(format!("topic filter {filter}: {why}"));
            subscriber.refuse(filter, *desired, MIN_DELAY, why);
            continue;
        }
        let served = subscriber.served_streams.get(filter).copied().unwrap_or(0);
        match subscriber.confirmed.get(filter) {
            Some(state) if state.serves(desired.qos) => {
                // Another program has joined. AWS sends the retained message after each SUBSCRIBE, but not for a wildcard.
                let has_joined = desired.newest_live_stream > served;
                if has_joined && has_wildcard(filter) {
                    subscriber
                        .served_streams
                        .insert(filter.clone(), desired.newest_live_stream);
                    subscriber.inbound.tell(SessionEvent::Subscribed(filter.clone()));
                } else if has_joined {
                    filters.push((filter.clone(), *desired));
                }
            }
            _ => filters.push((filter.clone(), *desired)),
        }
    }
    filters
}

/// Returns the filters to unsubscribe from.
fn no_longer_wanted(subscriber: &mut Subscriber, desired: &DesiredFilters, now: Instant) -> Vec<String> {
    let mut filters = unwanted(subscriber, desired, now);
    filters.retain(|filter| {
        if desired.contains_key(filter) {
            // It is set aside, so AWS must send nothing more for it.
            return true;
        }
        let since = *subscriber.unwanted_since.entry(filter.clone()).or_insert(now);
        // Where it overlaps with a wanted filter, messages come twice. The wanted filter was requested before.
        let mut others = subscriber.confirmed.keys().filter(|other| desired.contains_key(*other));
        now >= since + LINGER || others.any(|other| topic::overlaps(other, filter))
    });
    filters
}
