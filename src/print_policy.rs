//! `gatepostd --print-policy`: prints the minimal AWS IoT policy for this configuration.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::check_config::examine;
use crate::config::{Config, Partition};
use crate::problem::{Exit, Fatal, Problem};
use crate::stdout::print;

/// The policy variable for the thing whose name is the client ID (AWS IoT developer guide, thing-policy-variables).
const THING: &str = "${iot:Connection.Thing.ThingName}";
/// The topics of rotations by jobs of AWS IoT.
const ROTATION_TOPICS: [&str; 2] = ["$aws/things/{thing}/jobs/#", "awslabs/things/{thing}/certificate/#"];
/// Maximum number of characters of a policy document, without white space (quotas of AWS IoT Core).
const MAX_CHARACTERS: usize = 2048;

/// Prints the policy. Notes on stderr what would make it narrower.
///
/// # Errors
/// When the configuration is wrong, or the policy is too long.
pub fn run(path: &Path, account: Option<&str>) -> Result<(), Fatal> {
    let config = examine(path)?;
    let region = config.aws.region();
    let text = format!("{:#}\n", policy(&config, region.as_deref(), account.unwrap_or("*")));
    let length = text.chars().filter(|character| !character.is_whitespace()).count();
    if length > MAX_CHARACTERS {
        let problem = Problem::configuration(format!(
            "the policy has {length} characters, and AWS allows {MAX_CHARACTERS}: there are too many role aliases"
        ));
        let step = "give the certificate several policies, each with a part of the role aliases";
        return Err(Fatal::new(Exit::Configuration, problem.next(step)));
    }
    for (unknown, step) in [
        (
            account.is_none(),
            "any account: --account with its twelve digits narrows it",
        ),
        (region.is_none(), "any Region: the endpoints' names do not tell which"),
    ] {
        if unknown {
            // The policy is valid even if stderr cannot be written.
            let _ = writeln!(std::io::stderr(), "gatepostd: the policy is for {step}");
        }
    }
    print(&text)
}

fn policy(config: &Config, region: Option<&str>, account: &str) -> Value {
    let partition = region.map_or("aws", |region| Partition::of_region(region).name);
    let region = region.unwrap_or("*");
    let arn = |kind: &str, name: &str| format!("arn:{partition}:iot:{region}:{account}:{kind}/{name}");
    let allow = |sid: &str, actions: &[&str], resources: Vec<String>| json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources });
    let mut statements = vec![allow("Connect", &["iot:Connect"], vec![arn("client", THING)])];
    if let Some(topic) = &config.mqtt.presence_topic {
        let topic = vec![arn("topic", &literal(topic))];
        statements.push(allow("Presence", &["iot:Publish", "iot:RetainPublish"], topic));
    }
    let rotation = config
        .enrolment
        .rotation_jobs
        .then(|| ROTATION_TOPICS.map(str::to_owned));
    let rotation = rotation.iter().flatten();
    let publish = topics(
        config
            .access
            .iter()
            .flat_map(|rule| &rule.publish)
            .chain(rotation.clone()),
    );
    let subscribe = topics(config.access.iter().flat_map(|rule| &rule.subscribe).chain(rotation));
    let each = |kind: &str, topics: &BTreeSet<String>| topics.iter().map(|topic| arn(kind, topic)).collect();
    if !publish.is_empty() {
        let actions = &["iot:Publish", "iot:RetainPublish"];
        statements.push(allow("Publish", actions, each("topic", &publish)));
    }
    if !subscribe.is_empty() {
        statements.push(allow("Subscribe", &["iot:Subscribe"], each("topicfilter", &subscribe)));
        statements.push(allow("Receive", &["iot:Receive"], each("topic", &subscribe)));
    }
    let aliases: Vec<String> = config
        .role_aliases
        .iter()
        .map(|alias| arn("rolealias", &alias.name))
        .collect();
    if !aliases.is_empty() {
        statements.push(allow("Credentials", &["iot:AssumeRoleWithCertificate"], aliases));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Converts the topics of access rules to the syntax of policies. There `*` matches any number of levels, so it allows more than `+`.
/// A filter that starts with a wildcard is restricted to topics below the thing name, so that no gateway can use the topics of another
/// one.
fn topics<'a>(filters: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let written = filters.map(|filter| {
        let filter = match filter.starts_with(['#', '+']) {
            true => format!("{}/#", crate::topic::THING),
            false => filter.clone(),
        };
        let reserved = filter.strip_prefix("$aws/");
        let levels = reserved.unwrap_or(&filter).split('/').map(|level| match level {
            "#" | "+" => "*".to_owned(),
            other => literal(other),
        });
        let levels = levels.collect::<Vec<_>>().join("/");
        match reserved {
            Some(_) => format!("$aws/{levels}"),
            None => levels,
        }
    });
    written.collect()
}

/// Escapes the characters of a topic that are wildcards or start a variable in a policy (IAM User Guide, policy variables, "special
/// characters").
fn literal(topic: &str) -> String {
    let escaped = |part: &str| {
        let characters = part.chars().map(|character| match character {
            '*' | '?' | '$' => format!("${{{character}}}"),
            other => other.to_string(),
        });
        characters.collect::<String>()
    };
    let parts: Vec<String> = topic.split("{thing}").map(escaped).collect();
    parts.join(THING)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{literal, topics};

    /// Messages that AWS refuses are parked, so the shipped access rules must not allow more than the shipped policy.
    #[test]
    fn the_shipped_policy_allows_what_the_shipped_rules_allow() {
        let shipped = |file: &str| {
            let path = format!("{}/config/{file}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        };
        let config: toml::Table = shipped("gatepost.toml").parse().unwrap();
        let policy: serde_json::Value = serde_json::from_str(&shipped("aws/policy.json")).unwrap();
        let allowed = |action: &str, kind: &str| -> BTreeSet<String> {
            let all = policy["Statement"].as_array().unwrap().iter();
            let ours = all.filter(|one| match &one["Action"] {
                serde_json::Value::Array(actions) => actions.iter().any(|one| one == action),
                one => one == action,
            });
            let resources = ours.flat_map(|one| match &one["Resource"] {
                serde_json::Value::Array(all) => all.clone(),
                one => vec![one.clone()],
            });
            let prefix = format!("arn:aws:iot:REGION:ACCOUNT:{kind}/");
            let names = resources.filter_map(|one| Some(one.as_str()?.strip_prefix(&prefix)?.to_owned()));
            names.collect()
        };
        for rule in config["access"].as_array().unwrap() {
            for (key, actions) in [
                (
                    "publish",
                    &[("iot:Publish", "topic"), ("iot:RetainPublish", "topic")][..],
                ),
                (
                    "subscribe",
                    &[("iot:Subscribe", "topicfilter"), ("iot:Receive", "topic")],
                ),
            ] {
                let filters = rule[key].as_array().unwrap().iter();
                let filters: Vec<String> = filters.map(|filter| filter.as_str().unwrap().to_owned()).collect();
                let given = topics(filters.iter());
                assert!(given.len() > 1, "{given:?}");
                for (action, kind) in actions {
                    let missing: Vec<_> = given.difference(&allowed(action, kind)).cloned().collect();
                    assert!(missing.is_empty(), "{action}: {missing:?}");
                }
            }
        }
    }

    #[test]
    fn filters_are_converted_to_resources() {
        let thing = super::THING;
        for (filter, written) in [
            ("{thing}/camera/#", format!("{thing}/camera/*")),
            ("{thing}/+/state", format!("{thing}/*/state")),
            ("$aws/things/{thing}/shadow/#", format!("$aws/things/{thing}/shadow/*")),
            ("#", format!("{thing}/*")),
            ("alarms/$all", "alarms/${$}all".to_owned()),
        ] {
            let found: Vec<String> = topics([filter.to_owned()].iter()).into_iter().collect();
            assert_eq!(found, [written]);
        }
    }

    #[test]
    fn special_characters_of_topics_are_escaped() {
        for (topic, written) in [
            ("{thing}/gatepost", "${iot:Connection.Thing.ThingName}/gatepost"),
            ("a*/{thing}/$b?", "a${*}/${iot:Connection.Thing.ThingName}/${$}b${?}"),
        ] {
            assert_eq!(literal(topic), written);
        }
    }
}
