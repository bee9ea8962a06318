//! The two policies of the AWS articles that gatepost follows.

use serde_json::json;

use super::Policy;

/// The variable in both policies.
const THING: &str = "${iot:Connection.Thing.ThingName}";

impl Policy {
    /// Creates the policy in the main template of the re:Post JITP article: a client may connect as its thing, and use the topics below its
    /// thing's name. It allows nothing else: no shadow, no retained publish, no credentials.
    #[allow(clippy::expect_used, reason = "the document is a constant, parsed by every test")]
    pub fn seed_strict() -> Self {
        let document = document(&seed_statements("arn:aws:iot:*:*"));
        Self::named_by_document(&document).expect("a valid document")
    }

    /// Creates the same policy with `iot:AssumeRoleWithCertificate` for all role aliases, as the credentials provider requires.
    #[allow(
        clippy::expect_used,
        reason = "account and Region are strings inside a JSON string, escaped by serde_json"
    )]
    pub fn seed_with_credentials(account: &str, region: &str) -> Self {
        let arn = format!("arn:aws:iot:{region}:{account}");
        let mut statements = seed_statements(&arn);
        statements.push(statement(
            "AssumeRole",
            &["iot:AssumeRoleWithCertificate"],
            format!("{arn}:rolealias/*"),
        ));
        Self::named_by_document(&document(&statements)).expect("a valid document")
    }
}

fn seed_statements(arn: &str) -> Vec<serde_json::Value> {
    vec![
        statement("Connect", &["iot:Connect"], format!("{arn}:client/{THING}")),
        statement(
            "PublishReceive",
            &["iot:Publish", "iot:Receive"],
            format!("{arn}:topic/{THING}/*"),
        ),
        statement("Subscribe", &["iot:Subscribe"], format!("{arn}:topicfilter/{THING}/*")),
    ]
}

fn statement(sid: &str, actions: &[&str], resource: String) -> serde_json::Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [resource] })
}

fn document(statements: &[serde_json::Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}
