//! Counters and journal lines about MQTT clients, rate-limited so that a client in a loop cannot fill the journal.

use std::cell::RefCell;

use super::counts::{MqttCounts, count};
use crate::event::{Event, journal};
use crate::log_limiter::LogLimiter;

/// Counters and journal lines.
#[derive(Debug, Default)]
pub struct MqttLog {
    /// Counters since the start.
    pub counts: MqttCounts,
    refused: RefCell<LogLimiter>,
    cut: RefCell<LogLimiter>,
    requests: RefCell<LogLimiter>,
    dropped: RefCell<LogLimiter>,
}

impl MqttLog {
    /// Records a CONNECT that was refused.
    pub(super) fn refuse_client(&self, client: &str, why: &str) {
        count(&self.counts.refused);
        self.refused.borrow_mut().write(|level, more| {
            journal!(
                level, Event::MqttClientRefused;
                "local-mqtt: {client} was refused: {why}{more}"
            );
        });
    }

    /// Records a connection that gatepost has ended.
    pub(super) fn cut_client(&self, client: &str, why: &str) {
        count(&self.counts.cut);
        self.cut.borrow_mut().write(|level, more| {
            journal!(
                level, Event::MqttClientCut;
                "local-mqtt: the connection of {client} was ended: {why}{more}"
            );
        });
    }

    /// Records a message that was refused.
    pub(super) fn refuse_message(&self, client: &str, topic: &str, why: &str) {
        count(&self.counts.messages_refused);
        self.log_refusal(client, "message to", topic, why);
    }

    /// Records a topic filter that was refused.
    pub(super) fn refuse_filter(&self, client: &str, filter: &str, why: &str) {
        self.log_refusal(client, "subscription to", filter, why);
    }

    fn log_refusal(&self, client: &str, what: &str, topic: &str, why: &str) {
        let shown = topic.get(..256).unwrap_or(topic).escape_debug();
        self.requests.borrow_mut().write(|level, more| {
            journal!(
                level, Event::MqttRequestRefused, TOPIC = topic;
                "local-mqtt: {client}: a {what} {shown} was refused: {why}{more}"
            );
        });
    }

    /// Records a message of a client at QoS 0 that was dropped.
    pub(super) fn drop_qos0(&self, why: &str) {
        count(&self.counts.qos0_dropped);
        self.dropped.borrow_mut().write(|level, more| {
            journal!(
                level, Event::MqttMessageDropped;
                "local-mqtt: a message at quality of service 0 was dropped: {why}; {} since the start; next: publish at quality of service 1 what must not be lost{more}",
                self.counts.qos0_dropped.get()
            );
        });
    }

    /// Records a message to a client that was dropped.
    pub(super) fn drop_delivery(&self, client: &str, why: &str) {
        count(&self.counts.delivery_dropped);
        self.dropped.borrow_mut().write(|level, more| {
            journal!(
                level, Event::MqttMessageDropped;
                "local-mqtt: a message to {client} was dropped: {why}{more}"
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The journal has at most ten lines an hour of each kind, but every event is counted.
    #[test]
    fn each_event_is_counted_where_it_belongs() {
        let counts = |log: &MqttLog| {
            let counts = &log.counts;
            [
                &counts.refused,
                &counts.cut,
                &counts.messages_refused,
                &counts.qos0_dropped,
                &counts.delivery_dropped,
            ]
            .map(|counter| counter.get())
        };
        let long = "ä".repeat(1000);
        type Case<'a> = (&'a dyn Fn(&MqttLog), [u64; 5]);
        let cases: [Case; 6] = [
            (&|log| log.refuse_client("c", "why"), [1, 0, 0, 0, 0]),
            (&|log| log.cut_client("c", "why"), [0, 1, 0, 0, 0]),
            // A topic may be as long as a packet, and end anywhere in a character.
            (&|log| log.refuse_message("c", &long, "why"), [0, 0, 1, 0, 0]),
            (&|log| log.refuse_filter("c", "#", "why"), [0, 0, 0, 0, 0]),
            (&|log| log.drop_qos0("why"), [0, 0, 0, 1, 0]),
            (&|log| log.drop_delivery("c", "why"), [0, 0, 0, 0, 1]),
        ];
        for (record, once) in cases {
            let log = MqttLog::default();
            for _ in 0..100 {
                record(&log);
            }
            assert_eq!(counts(&log), once.map(|count| 100 * count));
        }
    }
}
