//! The body of a subscription's response: one JSON object a line.

use std::task::{Context, Poll};

use bytes::Bytes;
use serde::Serialize;

use crate::clock::rfc3339;
use crate::local::api::message_fields::{PayloadFields, PropertyFields};
use crate::local::http::LineSource;
use crate::messages::{Delivery, StreamEnd, StreamItem, Subscription};
use crate::problem::Problem;
use crate::qos::Qos;

/// The lines of a subscription.
#[derive(Debug)]
pub struct MessageLines(pub Subscription);

impl LineSource for MessageLines {
    fn poll_line(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_next(context).map(|item| match item? {
            StreamItem::Message(delivery) => Some(format_message(&delivery)),
            StreamItem::End(end) => Some(format_end(&end)),
        })
    }
}

/// A message as programs read it.
#[derive(Serialize)]
struct MessageLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    topic: &'a str,
    #[serde(flatten)]
    payload: PayloadFields<'a>,
    qos: Qos,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retained: bool,
    received: String,
    #[serde(flatten)]
    properties: PropertyFields<'a>,
}

/// The last line: why the stream has ended.
#[derive(Serialize)]
struct EndLine<'a> {
    code: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
}

fn format_message(delivery: &Delivery) -> Bytes {
    let message = &delivery.message;
    format_line(&MessageLine {
        id: delivery.id,
        topic: &message.topic,
        payload: PayloadFields::new(&message.payload),
        qos: message.qos,
        retained: message.retained,
        received: rfc3339(delivery.received),
        properties: (&message.properties).into(),
    })
}

fn format_end(end: &StreamEnd) -> Bytes {
    match end {
        StreamEnd::TooSlow(waiting) => format_end_line(
            "too_slow",
            &format!("the program did not read fast enough: {waiting} messages were waiting for it"),
            Some("read faster, or subscribe with ?name=NAME, which keeps messages on the disk"),
        ),
        StreamEnd::NotAllowed => format_end_line(
            "not_allowed",
            "no access rule allows this subscription any more",
            Some("gatepost check --as USER shows what is allowed, and by which rule"),
        ),
        StreamEnd::ShuttingDown => format_end_line(
            "ending",
            "gatepost is shutting down",
            Some("subscribe again: gatepost is usually restarted"),
        ),
        StreamEnd::TakenOver => format_end_line(
            "taken_over",
            "another reader has taken over this durable subscription",
            None,
        ),
        StreamEnd::Deleted => format_end_line(
            "deleted",
            "the durable subscription was deleted",
            Some("subscribe with the same name to create it again"),
        ),
        StreamEnd::Refused(problem) => format_problem("refused", problem),
        StreamEnd::Unusable(problem) => format_problem("unusable", problem),
    }
}

fn format_end_line(code: &'static str, message: &str, hint: Option<&str>) -> Bytes {
    format_line(&EndLine { code, message, hint })
}

fn format_problem(code: &'static str, problem: &Problem) -> Bytes {
    format_end_line(code, &problem.message, problem.next_step.as_deref())
}

fn format_line(document: &impl Serialize) -> Bytes {
    // Strings, numbers and lists of them can always be serialised.
    let mut json = serde_json::to_vec(document).unwrap_or_default();
    json.push(b'\n');
    json.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::messages::{Properties, Received};

    #[test]
    fn a_message_is_one_line_with_what_it_has() {
        let delivery = |id, retained, properties| Delivery {
            id,
            message: Arc::new(Received {
                topic: "t".into(),
                payload: Bytes::from_static(b"a\nb"),
                qos: Qos::AtLeastOnce,
                retained,
                properties,
            }),
            received: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
        };
        let with_type = Properties {
            content_type: Some("text/plain".into()),
            ..Properties::default()
        };
        for (delivery, line) in [
            (
                delivery(None, false, Properties::default()),
                r#"{"topic":"t","payload":"a\nb","qos":1,"received":"2026-01-01T00:00:00Z"}"#,
            ),
            (
                delivery(Some(3), true, with_type),
                r#"{"id":3,"topic":"t","payload":"a\nb","qos":1,"retained":true,"received":"2026-01-01T00:00:00Z","contentType":"text/plain"}"#,
            ),
        ] {
            assert_eq!(format_message(&delivery), format!("{line}\n"));
        }
    }

    #[test]
    fn the_last_line_has_a_code_a_message_and_a_hint() {
        let problem = || Problem::wait("it is full").next("make room");
        for (end, code, has_hint) in [
            (StreamEnd::TooSlow(7), "too_slow", true),
            (StreamEnd::NotAllowed, "not_allowed", true),
            (StreamEnd::ShuttingDown, "ending", true),
            (StreamEnd::TakenOver, "taken_over", false),
            (StreamEnd::Deleted, "deleted", true),
            (StreamEnd::Refused(problem()), "refused", true),
            (StreamEnd::Unusable(Problem::wait("it is full")), "unusable", false),
        ] {
            let line = format_end(&end);
            assert!(line.ends_with(b"\n"));
            let document: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(document["code"], code);
            assert!(document["message"].is_string());
            assert_eq!(document["hint"].is_string(), has_hint, "{code}");
        }
    }
}
