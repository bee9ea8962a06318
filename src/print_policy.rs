//! `gatepostd --print-policy`: the AWS IoT policy that this configuration needs, and nothing beyond it.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::arguments::print;
use crate::check_config::load;
use crate::config::Config;
use crate::problem::{Exit, Fatal, Problem};

/// AWS's word for this gateway in its own policy: the thing that is named as the client ID is (AWS IoT developer guide,
/// thing-policy-variables).
const THING: &str = "${iot:Connection.Thing.ThingName}";
/// The longest policy document AWS takes, white space not counted (quotas of AWS IoT Core).
const MAX_CHARACTERS: usize = 2048;

/// Prints the policy; what makes it wider than it need be is said on stderr.
///
/// # Errors
/// When the configuration is wrong, or needs more than fits into one policy.
pub fn run(path: &Path, account: Option<&str>) -> Result<(), Fatal> {
    let config = load(path)?;
    let region = config.aws.mqtt_endpoint.region();
    let text = format!("{:#}\n", policy(&config, region.as_deref(), account.unwrap_or("*")));
    let length = text.chars().filter(|character| !character.is_whitespace()).count();
    if length > MAX_CHARACTERS {
        let problem = Problem::configuration(format!(
            "the policy has {length} characters, and AWS takes {MAX_CHARACTERS}: there are too many role aliases"
        ));
        let step = "give the certificate several policies, each with a part of the role aliases";
        return Err(Fatal::new(Exit::Configuration, problem.next(step)));
    }
    for (unknown, step) in [
        (
            account.is_none(),
            "any account: --account with its twelve digits narrows it",
        ),
        (
            region.is_none(),
            "any Region: the MQTT endpoint's name does not tell which",
        ),
    ] {
        if unknown {
            // Without a stderr the policy is still right.
            let _ = writeln!(std::io::stderr(), "gatepostd: the policy is for {step}");
        }
    }
    print(&text)
}

fn policy(config: &Config, region: Option<&str>, account: &str) -> Value {
    let partition = match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let region = region.unwrap_or("*");
    let arn = |kind: &str, name: &str| format!("arn:{partition}:iot:{region}:{account}:{kind}/{name}");
    let allow = |sid: &str, action: &str, resources: Vec<String>| json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resources });
    let mut statements = vec![allow("Connect", "iot:Connect", vec![arn("client", THING)])];
    if let Some(topic) = &config.mqtt.presence_topic {
        statements.push(allow("Presence", "iot:Publish", vec![arn("topic", &literal(topic))]));
    }
    let aliases: Vec<String> = config
        .role_aliases
        .iter()
        .map(|alias| arn("rolealias", &alias.name))
        .collect();
    if !aliases.is_empty() {
        statements.push(allow("Credentials", "iot:AssumeRoleWithCertificate", aliases));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// A topic as a policy writes it: what would be a wildcard or a variable there is itself (IAM User Guide, policy
/// variables, "special characters").
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
    use super::literal;

    #[test]
    fn topics_are_literal() {
        for (topic, written) in [
            ("{thing}/gatepost", "${iot:Connection.Thing.ThingName}/gatepost"),
            ("a*/{thing}/$b?", "a${*}/${iot:Connection.Thing.ThingName}/${$}b${?}"),
        ] {
            assert_eq!(literal(topic), written);
        }
    }
}
