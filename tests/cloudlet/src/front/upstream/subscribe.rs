//! Handles SUBSCRIBE from a client.

use super::forwarder::Forwarder;
use crate::front::end::{Cause, ConnectionEnd};
use crate::front::limits;
use crate::front::session::Subscribing;
use crate::mqtt::{Filter, Packet, Properties, Protocol, QoS, Suback, Subscribe, property, reason, topic};
use crate::switches::DeniedSubscribe;

pub(super) async fn handle(forwarder: &Forwarder<'_>, mut subscribe: Subscribe) -> Result<(), ConnectionEnd> {
    let session = forwarder.session;
    if subscribe.properties.get(property::SUBSCRIPTION_IDENTIFIER).is_some() {
        let code = reason::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
        return Err(ConnectionEnd::with_disconnect(code, "subscription identifier"));
    }
    if subscribe.filters.len() > limits::MAX_FILTERS_PER_SUBSCRIBE {
        return Err(ConnectionEnd::with_disconnect(
            reason::QUOTA_EXCEEDED,
            "more than 8 filters in a SUBSCRIBE",
        ));
    }
    // developer guide, mqtt: a request for QoS 2 gets no SUBACK.
    if subscribe.filters.iter().any(|filter| filter.qos == QoS::ExactlyOnce) {
        return Ok(());
    }
    let mut refused = Vec::with_capacity(subscribe.filters.len());
    for filter in &subscribe.filters {
        refused.push(judge(forwarder, filter)?);
    }
    if session.protocol == Protocol::V311 && refused.iter().any(Option::is_some) {
        let denied_subscribe = session.cloud.switches.get(|switches| switches.denied_subscribe);
        if denied_subscribe == DeniedSubscribe::Close {
            return Err(ConnectionEnd::without_disconnect(
                Cause::AuthError,
                "a subscription was refused",
            ));
        }
        for code in refused.iter_mut().flatten() {
            *code = reason::UNSPECIFIED_ERROR;
        }
    }
    let mut verdicts = refused.iter();
    subscribe.filters.retain(|_| matches!(verdicts.next(), Some(None)));
    if subscribe.filters.is_empty() {
        let codes = refused.into_iter().flatten().collect();
        let suback = Suback {
            packet_id: subscribe.packet_id,
            properties: Properties::default(),
            codes,
        };
        return forwarder.answer(Packet::Suback(suback)).await;
    }
    {
        let mut state = session.state.lock();
        state
            .subscriptions
            .extend(subscribe.filters.iter().map(|filter| filter.filter.clone()));
        let filters = subscribe.filters.iter().map(|filter| filter.filter.clone()).collect();
        state
            .subscribing
            .insert(subscribe.packet_id, Subscribing { refused, filters });
    }
    for filter in &mut subscribe.filters {
        // developer guide, mqtt: retained messages are sent for exact subscriptions only. MQTT 3.1.1 has no such option, so its wildcard
        // subscriptions get them here.
        let exact = !topic::has_wildcard(&filter.filter) && !filter.filter.starts_with("$share/");
        if session.protocol == Protocol::V5 && !exact {
            filter.without_retained();
        }
    }
    forwarder.forward(Packet::Subscribe(subscribe)).await
}

/// Returns the code with which a filter is refused, if it is.
fn judge(forwarder: &Forwarder<'_>, filter: &Filter) -> Result<Option<u8>, ConnectionEnd> {
    let session = forwarder.session;
    let Some(name) = topic::unshared(&filter.filter) else {
        return Ok(Some(reason::TOPIC_FILTER_INVALID));
    };
    if !limits::topic_fits(name) {
        return Ok(Some(reason::TOPIC_FILTER_INVALID));
    }
    if !session.decide("iot:Subscribe", "topicfilter", name).allowed {
        return Ok(Some(reason::NOT_AUTHORIZED));
    }
    let state = session.state.lock();
    if state.subscriptions.len() >= limits::MAX_SUBSCRIPTIONS && !state.subscriptions.contains(&filter.filter) {
        return Err(ConnectionEnd::with_disconnect(
            reason::QUOTA_EXCEEDED,
            "more than 50 subscriptions",
        ));
    }
    Ok(None)
}
