//! Evaluates policies: the default is deny, and an explicit deny takes precedence (developer guide, iot-policies).

use std::fmt;

use serde::Serialize;

use super::document::Effect;
use super::pattern::Pattern;
use super::{Context, Policy};

/// A request for permission.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The action, such as `iot:Publish`.
    pub(crate) action: &'a str,
    /// The resource's ARN.
    pub(crate) resource: &'a str,
}

/// The decision, and the statement that it is based on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether the request is allowed.
    pub allowed: bool,
    /// The action, such as `iot:Publish`.
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
    /// The statement that decided; `None` if no statement matched, which means deny.
    pub statement: Option<String>,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        let statement = self.statement.as_deref().unwrap_or("no statement allows it");
        write!(f, "{} on {} {verdict}: {statement}", self.action, self.resource)
    }
}

/// Evaluates all policies attached to a certificate together.
pub(crate) fn evaluate(policies: &[&Policy], request: Request<'_>, context: &Context) -> Decision {
    let mut decision = Decision {
        allowed: false,
        action: request.action.to_owned(),
        resource: request.resource.to_owned(),
        statement: None,
    };
    for policy in policies {
        for (position, statement) in policy.document.statements.iter().enumerate() {
            let applies = statement
                .action
                .iter()
                .any(|action| Pattern::plain(action).matches(request.action))
                && statement
                    .resource
                    .iter()
                    .any(|resource| Pattern::resolved(resource, context).matches(request.resource))
                && statement.condition.hold(context);
            if !applies {
                continue;
            }
            let name = match &statement.sid {
                Some(sid) => format!("statement {sid} of policy {}", policy.name()),
                None => format!("statement {} of policy {}", position + 1, policy.name()),
            };
            match statement.effect {
                Effect::Deny => {
                    return Decision {
                        allowed: false,
                        statement: Some(name),
                        ..decision
                    };
                }
                Effect::Allow if decision.allowed => {}
                Effect::Allow => (decision.allowed, decision.statement) = (true, Some(name)),
            }
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    use super::{Policy, Request, evaluate};
    use crate::policy::Context;

    fn decide(documents: &[&str], client_id: &str, action: &str, resource: &str) -> (bool, Option<String>) {
        let context = Context::for_tests(client_id, Some("gw-1"));
        let policies: Vec<Policy> = documents
            .iter()
            .enumerate()
            .map(|(n, text)| Policy::new(format!("p{n}"), text).unwrap())
            .collect();
        let policies: Vec<&Policy> = policies.iter().collect();
        let resource = format!("arn:aws:iot:us-east-1:123456789012:{resource}");
        let decision = evaluate(
            &policies,
            Request {
                action,
                resource: &resource,
            },
            &context,
        );
        (decision.allowed, decision.statement)
    }

    #[test]
    fn the_seed_policy_holds_a_thing_to_its_own_name() {
        let seed = Policy::seed_strict();
        for (client_id, action, resource, allowed) in [
            ("gw-1", "iot:Connect", "client/gw-1", true),
            ("gw-2", "iot:Connect", "client/gw-2", false),
            ("gw-1", "iot:Connect", "client/gw-2", false),
            ("gw-1", "iot:Publish", "topic/gw-1/a/b", true),
            ("gw-1", "iot:Publish", "topic/gw-10/a", false),
            ("gw-1", "iot:Publish", "topic/gw-1", false),
            ("gw-1", "iot:RetainPublish", "topic/gw-1/a", false),
            ("gw-1", "iot:Subscribe", "topicfilter/gw-1/#", true),
            ("gw-1", "iot:Subscribe", "topicfilter/#", false),
            ("gw-1", "iot:Receive", "topic/gw-1/a", true),
            ("gw-1", "iot:AssumeRoleWithCertificate", "rolealias/telemetry", false),
        ] {
            let (answer, _) = decide(&[seed.document()], client_id, action, resource);
            assert_eq!(answer, allowed, "{action} on {resource} as {client_id}");
        }
    }

    #[test]
    fn an_explicit_deny_wins_wherever_it_stands() {
        let allow = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#;
        let deny = r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"NoSecrets","Effect":"Deny","Action":["iot:Publish"],"Resource":["*:topic/secret/?"]}]}"#;
        for documents in [[allow, deny], [deny, allow]] {
            let (allowed, statement) = decide(&documents, "gw-1", "iot:Publish", "topic/secret/1");
            assert!(!allowed);
            assert!(statement.unwrap().contains("NoSecrets"));
            assert!(decide(&documents, "gw-1", "iot:Publish", "topic/open").0);
        }
    }

    #[test]
    fn unsupported_policies_are_refused() {
        for document in [
            "",
            "{}",
            r#"{"Version":"2008-10-17","Statement":[]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get","Resource":"*"}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*",
                "Condition":{"StringEqual":{"iot:ClientId":"a"}}}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*",
                "Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}}]}"#,
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"iot:*","Resource":"*"}]}"#,
        ] {
            assert!(Policy::new("p", document).is_err(), "{document}");
        }
    }
}
