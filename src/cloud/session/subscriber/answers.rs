//! Handles AWS's answers to SUBSCRIBE and UNSUBSCRIBE.

use super::refusals::MIN_DELAY;
use super::{InFlight, Subscriber};
use crate::cloud::mqtt::{Granted, Reason, ReasonCode};
use crate::cloud::session::problems;
use crate::messages::{SessionEvent, SubscriptionState};

/// Handles SUBACK. `words` is AWS's reason string.
pub(in crate::cloud::session) async fn handle_suback(
    subscriber: &mut Subscriber,
    packet_id: u16,
    granted: &[Granted],
    words: Option<String>,
) {
    let filters = match subscriber.in_flight.take() {
        Some(InFlight::Subscribe(id, filters, _)) if id == packet_id => filters,
        other => return subscriber.in_flight = other,
    };
    for (index, (filter, desired)) in filters.into_iter().enumerate() {
        subscriber.suspects.cleared(&filter);
        subscriber.filter_errors.subscribed(&filter);
        subscriber
            .served_streams
            .insert(filter.clone(), desired.newest_live_stream);
        match granted
            .get(index)
            .copied()
            .unwrap_or(Err(ReasonCode::UNSPECIFIED_ERROR))
        {
            Ok(_) => {
                log::debug!("session: subscribed to {filter}");
                // The requested QoS is recorded: a broker that grants a lower one would be asked again for ever.
                subscriber
                    .confirmed
                    .insert(filter.clone(), SubscriptionState::Granted(desired.qos));
                subscriber.refusals.forget(&filter);
                subscriber.inbound.tell(SessionEvent::Subscribed(filter));
            }
            Err(code) => {
                subscriber.confirmed.remove(&filter);
                let words = words.clone();
                let why = problems::filter_refused(&filter, &Reason { code, words });
                subscriber.refuse(&filter, desired, MIN_DELAY, why);
            }
        }
    }
    let _ = subscriber.store().await;
}

/// Handles UNSUBACK.
pub(in crate::cloud::session) async fn handle_unsuback(subscriber: &mut Subscriber, packet_id: u16) {
    match subscriber.in_flight.take() {
        Some(InFlight::Unsubscribe(id, filters, _)) if id == packet_id => {
            subscriber.unsubscribe_not_before = None;
            for filter in filters {
                log::debug!("session: unsubscribed from {filter}");
                subscriber.confirmed.remove(&filter);
                subscriber.unwanted_since.remove(&filter);
            }
            let _ = subscriber.store().await;
        }
        other => subscriber.in_flight = other,
    }
}
