//! What to say of a session that ended or never began.

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
        Lost::Breach(error) if repeats => Problem::configuration(format!(
            "the connections to {endpoint} end one after the other: {error}"
        ))
        .next(
            "find out who publishes what AWS delivers so, and delete the retained message if it is one; look whether a proxy or \
             another broker answers in AWS's place",
        ),
        Lost::Unanswered if repeats => Problem::configuration(format!(
            "the connections to {endpoint} end one after the other: AWS answers PINGREQ, and does not acknowledge what it was \
             sent before"
        ))
        .next("look whether another broker answers in AWS's place; gatepost outbox shows what waits"),
        Lost::Broken(why) | Lost::GivenUp(why) => {
            Problem::wait(format!("the connection to {endpoint} was lost: {why}"))
        }
        Lost::Unanswered => Problem::wait(format!(
            "the connection to {endpoint} was ended: AWS answers PINGREQ, and does not acknowledge what it was sent before"
        )),
        Lost::Stale => Problem::wait(format!(
            "the connection to {endpoint} was lost: nothing was received since this machine's network changed"
        )),
        Lost::Breach(error) => breach(endpoint, *error),
        Lost::Disconnected(reason) if reason.code == ReasonCode::SESSION_TAKEN_OVER => taken_over(),
        Lost::Disconnected(reason) => Problem::wait(format!("AWS ended the connection: {reason}")),
    }
}

/// The server sent what MQTT 5 forbids.
pub(super) fn breach(endpoint: &Endpoint, error: ProtocolError) -> Problem {
    Problem::wait(format!("the connection to {endpoint} was ended: {error}"))
        .next(
            "if it follows the session three times in a row, gatepost discards the session and what AWS has queued in it; if \
             it goes on after that, look whether a proxy or another broker answers in AWS's place",
        )
}

/// A broker whose CONNACK says Maximum QoS 0.
pub(super) fn acknowledges_nothing(endpoint: &Endpoint) -> Problem {
    Problem::configuration(format!(
        "{endpoint} acknowledges no messages (Maximum QoS 0): what is in the outbox waits, because nobody could tell whether it \
         has arrived; only messages at qos=0 are sent"
    ))
    .next("let mqtt-endpoint name AWS IoT Core, or a broker that takes messages at quality of service 1")
}

/// A session that was discarded because of a breach that followed it.
pub(super) fn discarded(breach: ProtocolError) -> String {
    format!(
        "AWS's session was discarded: three connections in a row that resumed it ended because {breach}; the messages that AWS \
         had queued for this gateway are lost, the subscriptions are made again"
    )
}

/// Another client has taken the session over.
pub(super) fn taken_over() -> Problem {
    Problem::configuration("another client has taken the session over: this thing name is in use twice")
        .next("find the other device with this common name; an image cloned with its machine-id or its state folder does this")
        .about(Event::SessionTakenOver)
}

/// AWS ended the connection for that of the new certificate, whose CONNACK did not come in time.
pub(super) fn taken_over_by_ourselves() -> Problem {
    Problem::wait(
        "AWS ended the connection for the one that tries the new certificate, and did not answer that one in time",
    )
}

/// Of a connection that AWS, which knows us, dropped before CONNACK.
pub(in crate::cloud) fn dropped(endpoint: &Endpoint, seen: &str) -> Problem {
    Problem::wait(format!("{endpoint} dropped the connection before CONNACK ({seen})"))
}

/// The server answered CONNECT with something that is no CONNACK.
pub(in crate::cloud) fn not_mqtt(endpoint: &Endpoint, what: &str) -> Problem {
    Problem::wait(format!(
        "{endpoint} did not answer CONNECT as an MQTT 5 server does ({what})"
    ))
    .next("check aws.mqtt-endpoint, and that no proxy answers in the place of AWS")
}

/// Of a certificate that AWS has not accepted, while the one before it is in use.
pub(super) fn meanwhile(mut why: Problem, used: &Certificate) -> Problem {
    let id = used.id.get(..12).unwrap_or(&used.id);
    why.message = format!(
        "{}; meanwhile certificate {id}… is used, which AWS has accepted before",
        why.message
    );
    why
}

/// Of a CONNACK that says no.
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

/// Of a topic filter that AWS does not let us subscribe to.
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

/// Of a topic filter after which AWS hangs up.
pub(super) fn filter_drops(filter: &str) -> Problem {
    Problem::configuration(format!(
        "AWS dropped the connection each time within a second of subscribing to {filter}; it is left alone for an hour"
    ))
    .next("allow iot:Subscribe on it as a topicfilter in the certificate's policy")
}

/// A topic filter whose SUBSCRIBE AWS never answers.
pub(super) fn filter_unanswered(filter: &str) -> Problem {
    Problem::wait(format!(
        "AWS answers everything but the subscription to {filter}; it is left alone for a minute, and each time for twice as long"
    ))
}

/// Of a topic on which AWS takes no message at quality of service 0.
pub(super) fn topic_refused(topic: &str, retain: bool, why: &str) -> Problem {
    let (what, action) = match retain {
        true => ("retained messages", "iot:Publish and iot:RetainPublish"),
        false => ("messages", "iot:Publish"),
    };
    Problem::configuration(format!(
        "AWS takes no {what} on {topic}: {why}; those at quality of service 0 are refused for an hour"
    ))
    .next(format!("allow {action} on it in the certificate's policy"))
}

/// Presence messages that AWS never acknowledges.
pub(super) fn presence_unanswered(topic: &str) -> Problem {
    Problem::configuration(format!(
        "AWS answers PINGREQ, and does not acknowledge what is published on the presence topic {topic}; the session does without"
    ))
    .next("look whether another broker answers in AWS's place, or set mqtt.presence-topic to \"\"")
}

/// A topic filter whose subscription was followed by a breach of MQTT each time.
pub(super) fn filter_breaches(filter: &str, breach: ProtocolError) -> Problem {
    Problem::configuration(format!(
        "the subscription to {filter} is set aside for an hour: each time AWS had accepted it, {breach}"
    ))
    .next(
        "delete the retained message that comes with it (publish an empty one with retain on its topic), or find out who \
         publishes it",
    )
}

/// A message that AWS never acknowledged, while it acknowledged others.
pub(super) const NEVER_ACKNOWLEDGED: &str =
    "AWS has not acknowledged it on three connections, each time for a minute, and has acknowledged others on them";

/// Of a policy that forbids presence.
pub(super) fn presence_refused(topic: &str) -> Problem {
    Problem::configuration(format!(
        "AWS refuses the presence topic {topic}; the session does without"
    ))
    .next("allow iot:Publish on it in the certificate's policy, or set mqtt.presence-topic to \"\"")
}
