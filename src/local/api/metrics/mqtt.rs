//! Metrics of the listeners for programs that speak MQTT.

use super::page::{Page, count, unlabelled};
use crate::local::context::ApiContext;

/// Adds the metrics of the MQTT listeners, if any is configured.
pub(super) fn add(context: &ApiContext, page: &mut Page) {
    let mqtt = &context.mqtt;
    if !mqtt.is_configured() {
        return;
    }
    let counts = &mqtt.log.counts;
    page.gauge(
        "gatepost_mqtt_clients",
        "MQTT programs that are connected.",
        [unlabelled(count(
            u64::try_from(mqtt.client_count()).unwrap_or(u64::MAX),
        ))],
    );
    page.counter(
        "gatepost_mqtt_connects_total",
        "CONNECT packets of programs by outcome.",
        [("accepted", &counts.connected), ("refused", &counts.refused)]
            .map(|(outcome, counter)| (vec![("outcome", outcome)], count(counter.get()))),
    );
    page.counter(
        "gatepost_mqtt_cut_total",
        "Connections of programs that gatepost has ended: a protocol error, silence, no reading or acknowledging.",
        [unlabelled(count(counts.cut.get()))],
    );
    page.counter(
        "gatepost_mqtt_messages_total",
        "Messages of programs by outcome: in the outbox, sent or dropped at QoS 0, refused.",
        [
            ("stored", &counts.stored),
            ("qos0_sent", &counts.qos0_sent),
            ("qos0_dropped", &counts.qos0_dropped),
            ("refused", &counts.messages_refused),
        ]
        .map(|(outcome, counter)| (vec![("outcome", outcome)], count(counter.get()))),
    );
    page.counter(
        "gatepost_mqtt_deliveries_total",
        "Messages to programs by outcome.",
        [("sent", &counts.delivered), ("dropped", &counts.delivery_dropped)]
            .map(|(outcome, counter)| (vec![("outcome", outcome)], count(counter.get()))),
    );
}
