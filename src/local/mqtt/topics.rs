//! Topics and filters of MQTT clients: placeholders, AWS IoT's limits, and reserved topics.

use super::refusal::Refusal;
use crate::mqtt::ReasonCode;
use crate::topic::{self, THING};

/// Prefixes of the AWS IoT topics that begin with `$` and belong to one thing. The thing name follows.
const OF_THINGS: [&str; 2] = ["$aws/things/", "$aws/commands/things/"];
/// Prefix of topics for rules, which bypass the message broker (Basic Ingest). Programs can only publish to them.
const BASIC_INGEST: &str = "$aws/rules/";

/// Returns the topic of a message with `{thing}` replaced by the thing name.
///
/// # Errors
/// If AWS would refuse the topic, or programs of this gateway may not publish to it.
pub fn resolve_topic(topic: &str, thing: &str, presence: Option<&str>) -> Result<String, Refusal> {
    let topic = topic.replace(THING, thing);
    topic::check_publish(&topic).map_err(|reason| Refusal::new(ReasonCode::TOPIC_NAME_INVALID, reason))?;
    if topic::is_reserved(&topic, thing, presence) {
        let words = "the topic is gatepost's own: it publishes this gateway's presence and health there";
        return Err(Refusal::new(ReasonCode::NOT_AUTHORIZED, words));
    }
    if !topic.starts_with(BASIC_INGEST) {
        check_dollar(&topic, thing)?;
    }
    Ok(topic)
}

/// Returns the filter with `{thing}` replaced by the thing name.
///
/// # Errors
/// If AWS would refuse the filter, or it may match topics of other things.
pub fn resolve_filter(filter: &str, thing: &str) -> Result<String, Refusal> {
    if filter.starts_with("$share/") {
        let words = "shared subscriptions divide messages among clients, and this gateway is one client of AWS IoT";
        return Err(Refusal::new(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, words));
    }
    let filter = filter.replace(THING, thing);
    topic::check_filter(&filter).map_err(|reason| Refusal::new(ReasonCode::TOPIC_FILTER_INVALID, reason))?;
    check_dollar(&filter, thing)?;
    Ok(filter)
}

/// Refuses a topic or filter that begins with `$` and does not belong to this thing.
fn check_dollar(topic: &str, thing: &str) -> Result<(), Refusal> {
    let is_of_thing = OF_THINGS.iter().any(|prefix| {
        let rest = topic.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(thing));
        rest.is_some_and(|rest| rest.starts_with('/'))
    });
    let words = match topic {
        _ if !topic.starts_with('$') || is_of_thing => return Ok(()),
        _ if topic.starts_with("$SYS/") => {
            "AWS IoT has no $SYS topics; where a mosquitto bridges, set `notifications false`"
        }
        _ => "of the topics that begin with $, a program may use those of this gateway's own thing",
    };
    Err(Refusal::new(ReasonCode::NOT_AUTHORIZED, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_resolved_or_refused_with_the_code() {
        let longest = "t".repeat(256);
        let too_long = "t".repeat(257);
        let cases = [
            ("{thing}/a", Ok("gw-1/a")),
            ("a/{thing}/b", Ok("a/gw-1/b")),
            (
                "$aws/things/{thing}/shadow/update",
                Ok("$aws/things/gw-1/shadow/update"),
            ),
            (
                "$aws/commands/things/gw-1/executions/1/response/json",
                Ok("$aws/commands/things/gw-1/executions/1/response/json"),
            ),
            ("$aws/rules/rule/a", Ok("$aws/rules/rule/a")),
            (longest.as_str(), Ok(longest.as_str())),
            ("$aws/things/gw-10/shadow/update", Err(0x87)),
            ("$aws/things/gw-1", Err(0x87)),
            ("$aws/things/gw-2/jobs/get", Err(0x87)),
            ("$aws/certificates/create/json", Err(0x87)),
            ("$SYS/broker/connection/bridge/state", Err(0x87)),
            ("$other", Err(0x87)),
            ("{thing}/gatepost/status", Err(0x87)),
            ("presence/gw-1", Err(0x87)),
            ("a/b/c/d/e/f/g/h/i", Err(0x90)),
            (too_long.as_str(), Err(0x90)),
        ];
        for (topic, expected) in cases {
            let found = resolve_topic(topic, "gw-1", Some("presence/{thing}"));
            let found = found.as_deref().map_err(|refusal| refusal.code.0);
            assert_eq!(found, expected, "{topic}");
        }
    }

    #[test]
    fn filters_are_resolved_or_refused_with_the_code() {
        let cases = [
            ("{thing}/#", Ok("gw-1/#")),
            ("#", Ok("#")),
            ("+/a", Ok("+/a")),
            ("$aws/things/{thing}/#", Ok("$aws/things/gw-1/#")),
            (
                "$aws/things/gw-1/shadow/+/accepted",
                Ok("$aws/things/gw-1/shadow/+/accepted"),
            ),
            (
                "$aws/commands/things/{thing}/executions/+/request/json",
                Ok("$aws/commands/things/gw-1/executions/+/request/json"),
            ),
            ("$aws/things/+/shadow/#", Err(0x87)),
            ("$aws/things/gw-2/#", Err(0x87)),
            ("$aws/things/#", Err(0x87)),
            ("$aws/#", Err(0x87)),
            ("$aws/rules/a", Err(0x87)),
            ("$SYS/#", Err(0x87)),
            ("$share/group/a", Err(0x9e)),
            ("a/b/c/d/e/f/g/h/i", Err(0x8f)),
        ];
        for (filter, expected) in cases {
            let found = resolve_filter(filter, "gw-1");
            let found = found.as_deref().map_err(|refusal| refusal.code.0);
            assert_eq!(found, expected, "{filter}");
        }
    }
}
