//! All failures of the credentials provider, each for its own role alias.

use std::time::Duration;

use cloudlet::switches::{Answer, Lifetime};
use cloudlet::{Cloudlet, Role, RoleAlias};

use super::switch::switch;

/// The role of every alias that has no other fault.
pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/telemetry";

/// A failure.
pub(super) struct Failure {
    /// The failing alias.
    pub(super) alias: &'static str,
    /// Words that the message must contain.
    pub(super) words: &'static str,
    /// Whether AWS has refused the request, so that somebody must change something there.
    pub(super) refused: bool,
    cause: Cause,
}

enum Cause {
    /// The provider gives this response.
    Answer(Answer),
    /// The provider issues credentials with this expiration.
    Ends(Lifetime),
    /// The alias does not exist in the account.
    NoAlias,
    /// The alias refers to this role.
    Role(Role),
}

impl Failure {
    /// Returns the remedy that the status shows for the failure.
    pub(super) fn remedy(&self) -> &'static str {
        if self.refused { "configuration" } else { "wait" }
    }

    /// Returns whether to test it also while valid credentials exist: one failure for each way in which a refresh can fail.
    pub(super) fn fits_a_refresh(&self) -> bool {
        let these = [
            "denied", "internal", "huge", "no-json", "expired", "garbage", "cut", "moved",
        ];
        these.contains(&self.alias)
    }

    /// Switches the failure on.
    pub(super) fn begin(&self, cloud: &Cloudlet) {
        let alias = self.alias.to_owned();
        match &self.cause {
            Cause::Answer(answer) => switch(cloud, |switches| {
                switches.answer_of.insert(alias, answer.clone());
            }),
            Cause::Ends(lifetime) => switch(cloud, |switches| {
                switches.lifetime_of.insert(alias, lifetime.clone());
            }),
            Cause::NoAlias => cloud
                .account()
                .change(|account| {
                    account.role_aliases.remove(self.alias);
                    Ok(())
                })
                .unwrap(),
            Cause::Role(role) => {
                cloud.add_role(role.clone()).unwrap();
                cloud.add_role_alias(RoleAlias::new(self.alias, &role.arn)).unwrap();
            }
        }
    }

    /// Switches the failure off.
    pub(super) fn end(&self, cloud: &Cloudlet) {
        switch(cloud, |switches| {
            switches.answer_of.remove(self.alias);
            switches.lifetime_of.remove(self.alias);
        });
        cloud.add_role_alias(RoleAlias::new(self.alias, ROLE)).unwrap();
    }
}

/// Returns all failures. The messages are AWS's own (aws-iot-core-credential-provider-session-helper, dev_notes).
pub(super) fn all() -> Vec<Failure> {
    let said = |status, message: &str| Answer::Status(status, format!(r#"{{"message":"{message}"}}"#));
    let refused = |alias, cause, words| Failure {
        alias,
        words,
        refused: true,
        cause,
    };
    let transient = |alias, cause, words| Failure {
        alias,
        words,
        refused: false,
        cause,
    };
    let answer = |alias, answer, words| transient(alias, Cause::Answer(answer), words);
    let role = |name| Role::trusting(format!("arn:aws:iam::123456789012:role/{name}"));
    let untrusting = Role::trusted_by("lambda.amazonaws.com", role("untrusting").arn);
    let short = Role {
        max_session_seconds: 900,
        ..role("short")
    };
    let (thing, denied, endpoint) = (
        "Invalid thing name passed",
        "Access Denied",
        "Certificate is invalid on this endpoint",
    );
    vec![
        refused("thing", Cause::Answer(said(403, thing)), thing),
        refused("denied", Cause::Answer(said(403, denied)), denied),
        refused("endpoint", Cause::Answer(said(403, endpoint)), endpoint),
        refused("missing", Cause::NoAlias, "Role alias does not exist"),
        refused("untrusting", Cause::Role(untrusting), "Unable to assume the role"),
        refused("short", Cause::Role(short), "exceeds the MaxSessionDuration"),
        answer(
            "throttled",
            said(429, "Too Many Requests"),
            "429 for role alias throttled",
        ),
        answer("internal", said(500, "InternalFailure"), "InternalFailure"),
        answer("unavailable", Answer::Status(503, String::new()), "(no words)"),
        answer(
            "moved",
            Answer::Redirect("https://localhost:1/".into()),
            "AWS answered 302",
        ),
        answer("huge", Answer::HugeBody(1 << 20), "sent more than 16384 bytes"),
        answer(
            "no-json",
            Answer::Body("{\"credentials\":".into()),
            "not a set of credentials",
        ),
        answer("empty", Answer::Body(String::new()), "not a set of credentials"),
        answer("garbage", Answer::Garbage, "gave no answer: invalid HTTP"),
        answer(
            "cut",
            Answer::Cut,
            "closed the connection before its response was complete",
        ),
        transient("expired", Cause::Ends(Lifetime::Seconds(-60)), "by AWS's clock"),
        transient("brief", Cause::Ends(Lifetime::Seconds(30)), "are valid only until"),
        transient("skewed", Cause::Ends(Lifetime::Skewed(-7200)), "by AWS's clock"),
        transient(
            "malformed",
            Cause::Ends(Lifetime::Malformed("tomorrow".into())),
            "tomorrow",
        ),
    ]
}

/// A response that takes longer than any test.
pub const NEVER: Answer = Answer::Slow(Duration::from_secs(600));
