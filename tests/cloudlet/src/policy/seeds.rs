//! The documents of the two policies of the AWS articles that gatepost follows.

use serde_json::json;

/// The variable in both policies.
const THING: &str = "${iot:Connection.Thing.ThingName}";

/// Returns the policy in the main template of the re:Post JITP article.
pub(super) fn strict() -> String {
    document(&seed_statements("arn:aws:iot:*:*"))
}

/// Returns the same policy with `iot:AssumeRoleWithCertificate` for all role aliases of an account.
pub(super) fn with_credentials(account: &str, region: &str) -> String {
    let arn = format!("arn:aws:iot:{region}:{account}");
    let mut statements = seed_statements(&arn);
    statements.push(statement(
        "AssumeRole",
        &["iot:AssumeRoleWithCertificate"],
        format!("{arn}:rolealias/*"),
    ));
    document(&statements)
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
