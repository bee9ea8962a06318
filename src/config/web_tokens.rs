//! Checks `tokens` of the access rules: the audiences of web identity tokens.

use super::AccessRule;
use super::findings::Findings;
use crate::foreign_text;

/// Most audiences in all rules. A token for each is kept fresh, which costs a request every few minutes.
const MAX_AUDIENCES: usize = 10;
/// Maximum length of an audience (AWS STS API Reference, GetWebIdentityToken).
const MAX_AUDIENCE: usize = 1000;

/// Checks an audience, which AWS takes as any text.
pub(super) fn check_audience(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if !(1..=MAX_AUDIENCE).contains(&length) {
        return Err(format!(
            "an audience of {length} characters; AWS accepts 1 to {MAX_AUDIENCE}"
        ));
    }
    if foreign_text::has_armour(text) {
        return Err("is key material, not an audience".to_owned());
    }
    if text.contains(char::is_control) || text.trim() != text {
        return Err(format!(
            "{} has a control character, or a blank at an end",
            foreign_text::value(text)
        ));
    }
    if text == "*" {
        return Err("\"*\" is not an audience: each one must be named, because a token for it is kept".to_owned());
    }
    Ok(text.to_owned())
}

/// Returns whether a rule may name this audience.
pub fn may_be_audience(text: &str) -> bool {
    check_audience(text).is_ok()
}

/// Returns all audiences that rules name, each once.
pub(super) fn audiences(rules: &[AccessRule]) -> Vec<&str> {
    let mut audiences: Vec<&str> = rules.iter().flat_map(|rule| &rule.tokens).map(String::as_str).collect();
    audiences.sort_unstable();
    audiences.dedup();
    audiences
}

/// Checks that tokens can be requested: not too many, by a default role alias, from a STS that is known.
pub(super) fn check_requests(
    rules: &[AccessRule],
    has_default_alias: bool,
    is_sts_known: bool,
    findings: &mut Findings,
) {
    let count = audiences(rules).len();
    if count == 0 {
        return;
    }
    if count > MAX_AUDIENCES {
        findings.add_fault(
            "access",
            format!("tokens for {count} audiences, and gatepost keeps {MAX_AUDIENCES} at most"),
        );
    }
    if !has_default_alias {
        findings.add_fault(
            "access",
            "tokens are requested with the credentials of the default role alias, and there is none: mark one [[role-alias]] with \
             default = true",
        );
    }
    if !is_sts_known {
        findings.add_fault(
            "aws.sts-endpoint",
            "is needed for the tokens of the access rules, because the endpoints' names tell no Region: \
             \"sts.REGION.amazonaws.com\"",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::config::test_files::{self, MINIMUM};

    fn load(rules: &str) -> Result<Vec<String>, String> {
        let text = format!("{MINIMUM}[[role-alias]]\nname = \"telemetry\"\n{rules}");
        let config = test_files::load(&text, &[])?;
        Ok(config.audiences().into_iter().map(str::to_owned).collect())
    }

    fn rule(audiences: &[String]) -> String {
        let quoted: Vec<String> = audiences.iter().map(|audience| format!("{audience:?}")).collect();
        format!("[[access]]\nuid = 1\ntokens = [{}]\n", quoted.join(", "))
    }

    #[test]
    fn audiences_are_bounded_in_length_and_number() {
        let names = |count: usize| {
            (0..count)
                .map(|number| format!("https://api-{number}.example"))
                .collect::<Vec<_>>()
        };
        let one = |text: &str| rule(&[text.to_owned()]);
        for (rules, part) in [
            (one(""), "0 characters"),
            (one(&"x".repeat(1001)), "1001 characters"),
            (one(&"x".repeat(10 * 1024)), "10240 characters"),
            (one("*"), "is not an audience"),
            (one(" vault"), "blank at an end"),
            (one("va\nult"), "control character"),
            (one("-----BEGIN PRIVATE KEY-----"), "key material"),
            (rule(&names(12)), "tokens for 12 audiences, and gatepost keeps 10"),
            (
                format!("{}{}", rule(&names(10)), one("vault")),
                "tokens for 11 audiences",
            ),
        ] {
            let why = load(&rules).unwrap_err();
            assert!(why.contains(part), "{part}: {why}");
        }
        assert_eq!(load(&rule(&names(10))).unwrap().len(), 10);
        assert_eq!(load(&format!("{}{}", one("vault"), one("vault"))).unwrap(), ["vault"]);
        assert_eq!(load(&one(&"x".repeat(1000))).unwrap().len(), 1);
        // Characters are counted, not bytes.
        assert_eq!(load(&one(&"\u{1f511}".repeat(1000))).unwrap().len(), 1);
        assert_eq!(load("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn tokens_need_a_default_role_alias_and_a_region() {
        let rule = "[[access]]\nuid = 1\ntokens = [\"vault\"]\n";
        let two = "[[role-alias]]\nname = \"a\"\n[[role-alias]]\nname = \"b\"\n";
        let why = test_files::load(&format!("{MINIMUM}{two}{rule}"), &[]).unwrap_err();
        assert!(why.contains("mark one [[role-alias]]"), "{why}");
        let custom = "[aws]\nmqtt-endpoint = \"iot.example\"\ncredentials-endpoint = \"credentials.example\"\n";
        let why = test_files::load(
            &format!("{MINIMUM}[[role-alias]]\nname = \"a\"\n{rule}"),
            &[("custom.toml", custom)],
        )
        .unwrap_err();
        assert!(why.contains("aws.sts-endpoint"), "{why}");
    }
}
