//! AWS's answers to SUBSCRIBE and UNSUBSCRIBE.

use super::super::problems;
use super::refusals::REFUSED;
use super::{Subscriber, UnderWay};
use crate::cloud::mqtt::{Granted, Reason, ReasonCode};
use crate::messages::{SessionEvent, SubscriptionState};

impl Subscriber {
    /// AWS has answered a SUBSCRIBE.
    pub(in crate::cloud::session) async fn subscribed(
        &mut self,
        packet_id: u16,
        granted: &[Granted],
        said: Option<String>,
    ) {
        let filters = match self.under_way.take() {
            Some(UnderWay::Subscribe(id, filters, _)) if id == packet_id => filters,
            other => return self.under_way = other,
        };
        for (index, (filter, wanted)) in filters.into_iter().enumerate() {
            self.suspects.cleared(&filter);
            self.breaches.answered(&filter);
            self.asked_for.insert(filter.clone(), wanted.joined);
            match granted
                .get(index)
                .copied()
                .unwrap_or(Err(ReasonCode::UNSPECIFIED_ERROR))
            {
                Ok(_) => {
                    log::debug!("session: subscribed to {filter}");
                    // What it was asked for: a broker that grants less would be asked again without an end.
                    self.confirmed
                        .insert(filter.clone(), SubscriptionState::Granted(wanted.qos));
                    self.refusals.forget(&filter);
                    self.receiver.tell(SessionEvent::Subscribed(filter));
                }
                Err(code) => {
                    self.confirmed.remove(&filter);
                    let reason = Reason {
                        code,
                        words: said.clone(),
                    };
                    let why = problems::filter_refused(&filter, &reason);
                    self.refuse(&filter, wanted, REFUSED, why);
                }
            }
        }
        let _ = self.note().await;
    }

    /// AWS has answered an UNSUBSCRIBE.
    pub(in crate::cloud::session) async fn unsubscribed(&mut self, packet_id: u16) {
        match self.under_way.take() {
            Some(UnderWay::Unsubscribe(id, filters, _)) if id == packet_id => {
                self.unsubscribe_not_before = None;
                for filter in filters {
                    log::debug!("session: unsubscribed from {filter}");
                    self.confirmed.remove(&filter);
                    self.unwanted_since.remove(&filter);
                }
                let _ = self.note().await;
            }
            other => self.under_way = other,
        }
    }
}
