//! Problems of connections, subscriptions and messages, worded for the status.

use crate::cloud::mqtt::{Lost, Reason, ReasonCode};
use crate::config::Endpoint;
use crate::event::Event;
use crate::identity::Certificate;
use crate::messages::Message;
use crate::mqtt::ProtocolError;
use crate::problem::Problem;

/// Returns the problem for a connection that was lost; `repeats` if several in a row have ended in the same way.
pub(super) fn lost(endpoint: &Endpoint, lost: &Lost, repeats: bool) -> Problem {
    match lost {
        Lost::Protocol(error) if repeats => Problem::configuration(format!(
            "the connections to {endpoint} end one after the other: {error}"
        ))
        .next(
            "find out who publishes that message, and delete it if it is retained; check whether a proxy or \
             another broker answers in AWS's place",
        ),
        Lost::Unanswered if repeats => Problem::configuration(format!(
            "the connections to {endpoint} end one after the other: AWS answers PINGREQ, but does not acknowledge an earlier \
             packet"
        ))
        .next("check whether another broker answers in AWS's place; gatepost outbox shows what waits"),
        Lost::Broken(why) | Lost::GivenUp(why) => {
            Problem::wait(format!("the connection to {endpoint} was lost: {why}"))
        }
        Lost::Unanswered => Problem::wait(format!(
            "the connection to {endpoint} was ended: AWS answers PINGREQ, but does not acknowledge an earlier packet"
        )),
        Lost::Stale => Problem::wait(format!(
            "the connection to {endpoint} was lost: nothing was received since this machine's network changed"
        )),
        Lost::Protocol(error) => protocol_error(endpoint, *error),
        Lost::Disconnected(reason) if reason.code == ReasonCode::SESSION_TAKEN_OVER => taken_over(),
        Lost::Disconnected(reason) => Problem::wait(format!("AWS ended the connection: {reason}")),
    }
}

/// Returns the problem of a protocol error of the server.
pub(super) fn protocol_error(endpoint: &Endpoint, error: ProtocolError) -> Problem {
    Problem::wait(format!("the connection to {endpoint} was ended: {error}"))
        .next(
            "if it follows the session three times in a row, gatepost discards the session and what AWS has queued in it; if \
             it goes on after that, check whether a proxy or another broker answers in AWS's place",
        )
}

/// Returns the problem of a broker whose CONNACK says Maximum QoS 0.
pub(super) fn acknowledges_nothing(endpoint: &Endpoint) -> Problem {
    Problem::configuration(format!(
        "{endpoint} acknowledges no messages (Maximum QoS 0): what is in the outbox waits, because nobody could tell whether it \
         has arrived; only messages at qos=0 are sent"
    ))
    .next("set mqtt-endpoint to AWS IoT Core, or to a broker that supports quality of service 1")
}

/// Explains why a session was discarded.
pub(super) fn discarded(error: ProtocolError) -> String {
    format!(
        "AWS's session was discarded: three connections in a row that resumed it ended because {error}; the messages that AWS \
         had queued for this gateway are lost, the subscriptions are made again"
    )
}

/// Returns the problem of a takeover by another client.
pub(super) fn taken_over() -> Problem {
    Problem::configuration("another client has taken over the session: this thing name is in use twice")
        .next("find the other device with this common name; an image cloned with its machine-id or its state folder does this")
        .about(Event::SessionTakenOver)
}

/// Returns the problem of a takeover by our own trial of a new certificate, whose CONNACK did not arrive in time.
pub(super) fn taken_over_by_ourselves() -> Problem {
    Problem::wait(
        "AWS ended the connection for the one that tries the new certificate, and did not answer that one in time",
    )
}

/// Returns the problem of a connection that AWS dropped before CONNACK, although it has accepted the certificate before.
pub(in crate::cloud) fn dropped(endpoint: &Endpoint, seen: &str) -> Problem {
    Problem::wait(format!("{endpoint} dropped the connection before CONNACK ({seen})"))
}

/// Returns the problem of a server that answers CONNECT with something other than CONNACK.
pub(in crate::cloud) fn not_mqtt(endpoint: &Endpoint, what: &str) -> Problem {
    Problem::wait(format!(
        "{endpoint} did not answer CONNECT as an MQTT 5 server does ({what})"
    ))
    .next("check aws.mqtt-endpoint, and that no proxy answers in the place of AWS")
}

/// Adds to the problem of a new certificate that the previous one is in use.
pub(super) fn meanwhile(mut why: Problem, used: &Certificate) -> Problem {
    let id = used.id.get(..12).unwrap_or(&used.id);
    why.message = format!(
        "{}; meanwhile certificate {id}… is used, which AWS has accepted before",
        why.message
    );
    why
}

/// Returns the problem of CONNACK with a failure code.
pub(in crate::cloud) fn refused(endpoint: &Endpoint, reason: &Reason, will: Option<&Message>) -> Problem {
    let message = format!("{endpoint} refused the connection: {reason}");
    // AWS refuses a connection over its will as well (developer guide, life-cycle-events), and does not say which it was.
    let will = will.map_or_else(String::new, |will| format!(" and iot:Publish on {}", will.topic));
    match reason.code {
        ReasonCode::CLIENT_ID_NOT_VALID
        | ReasonCode::BAD_USER_NAME_OR_PASSWORD
        | ReasonCode::NOT_AUTHORIZED
        | ReasonCode::TOPIC_NAME_INVALID => Problem::configuration(message).next(format!(
            "allow iot:Connect for client/${{iot:Connection.Thing.ThingName}}{will} in the certificate's policy, and attach \
             the certificate to the thing; a change takes AWS a few minutes",
        )),
        _ => Problem::wait(message),
    }
}

/// Returns the problem of a topic filter that AWS refuses.
pub(super) fn filter_refused(filter: &str, reason: &Reason) -> Problem {
    let message = format!("AWS refuses the topic filter {filter}: {reason}");
    match reason.code {
        ReasonCode::NOT_AUTHORIZED => Problem::configuration(message).next(
            "allow iot:Subscribe on it as a topicfilter, and iot:Receive on its topics, in the certificate's policy; a change \
             takes AWS a few minutes",
        ),
        _ => Problem::wait(message),
    }
}

/// Returns the problem of a topic filter that makes AWS close the connection.
pub(super) fn filter_drops(filter: &str) -> Problem {
    Problem::configuration(format!(
        "AWS dropped the connection each time within a second of subscribing to {filter}; it is not requested again for an hour"
    ))
    .next("allow iot:Subscribe on it as a topicfilter in the certificate's policy")
}

/// Returns the problem of a topic filter whose SUBSCRIBE AWS never answers.
pub(super) fn filter_unanswered(filter: &str) -> Problem {
    Problem::wait(format!(
        "AWS answers everything but the subscription to {filter}; it is requested again after a minute, and after twice as long each further time"
    ))
}

/// Returns the problem of a topic on which AWS refuses messages at QoS 0.
pub(super) fn topic_refused(topic: &str, retain: bool, why: &str) -> Problem {
    let (what, action) = match retain {
        true => ("retained messages", "iot:Publish and iot:RetainPublish"),
        false => ("messages", "iot:Publish"),
    };
    Problem::configuration(format!(
        "AWS accepts no {what} on {topic}: {why}; those at quality of service 0 are refused for an hour"
    ))
    .next(format!("allow {action} on it in the certificate's policy"))
}

/// Returns the problem of presence messages that AWS never acknowledges.
pub(super) fn presence_unanswered(topic: &str) -> Problem {
    Problem::configuration(format!(
        "AWS answers PINGREQ, but does not acknowledge what is published on the presence topic {topic}; the session continues without presence"
    ))
    .next("check whether another broker answers in AWS's place, or set mqtt.presence-topic to \"\"")
}

/// Returns the problem of a topic filter whose subscription is followed by a protocol error each time.
pub(super) fn filter_set_aside(filter: &str, error: ProtocolError) -> Problem {
    Problem::configuration(format!(
        "the subscription to {filter} is set aside for an hour: each time AWS had accepted it, {error}"
    ))
    .next(
        "delete the retained message that comes with it (publish an empty one with retain on its topic), or find out who \
         publishes it",
    )
}

/// Reason for parking a message that AWS never acknowledged, although it acknowledged others.
pub(super) const NEVER_ACKNOWLEDGED: &str =
    "AWS did not acknowledge it within a minute on each of three connections, on which it acknowledged other messages";

/// Returns the problem of a policy that forbids presence.
pub(super) fn presence_refused(topic: &str) -> Problem {
    Problem::configuration(format!(
        "AWS refuses the presence topic {topic}; the session continues without presence"
    ))
    .next("allow iot:Publish on it in the certificate's policy, or set mqtt.presence-topic to \"\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Remedy;

    #[test]
    fn a_refused_connection_needs_somebody_only_where_the_policy_is_the_cause() {
        let endpoint = Endpoint::parse("iot.example", 8883).unwrap();
        let will = Message {
            topic: "gw-1/gatepost/status".to_owned(),
            ..Message::default()
        };
        for (code, name, remedy) in [
            (0x85, "client ID not valid (0x85)", Remedy::Configuration),
            (0x86, "bad user name or password (0x86)", Remedy::Configuration),
            (0x87, "not authorized (0x87)", Remedy::Configuration),
            (0x90, "topic name invalid (0x90)", Remedy::Configuration),
            (0x80, "unspecified error (0x80)", Remedy::Wait),
            (0x88, "server unavailable (0x88)", Remedy::Wait),
            (0x89, "server busy (0x89)", Remedy::Wait),
            (0x97, "quota exceeded (0x97)", Remedy::Wait),
            (0x9f, "connection rate exceeded (0x9f)", Remedy::Wait),
        ] {
            let reason = Reason {
                code: ReasonCode(code),
                words: None,
            };
            let problem = refused(&endpoint, &reason, None);
            assert_eq!(
                problem.message,
                format!("iot.example:8883 refused the connection: {name}")
            );
            assert_eq!(problem.remedy, remedy, "{name}");
            let (with, without) = (refused(&endpoint, &reason, Some(&will)).next_step, problem.next_step);
            match remedy {
                Remedy::Configuration => {
                    // AWS does not say whether it refuses the will.
                    assert!(without.is_some_and(|step| step.contains("iot:Connect") && !step.contains("iot:Publish")));
                    assert!(with.is_some_and(|step| step.contains("iot:Publish on gw-1/gatepost/status")));
                }
                _ => assert_eq!((with, without), (None, None), "{name}"),
            }
        }
    }
}
