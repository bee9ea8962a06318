//! Checks the token files that rules name, while no daemon reads them.

use crate::config::{AccessRule, Selectors};
use crate::problem::Problem;
use crate::secret::{ExposeSecret, SecretString};

use super::secret_file;

/// Returns a problem for each `token-file` that the daemon could not use. It must run as the user of the service, because owner
/// and mode are judged for whoever reads the file.
pub fn examine_token_files(rules: &[AccessRule]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: Vec<(&Selectors, SecretString)> = Vec::new();
    for rule in rules {
        let Some(path) = rule.token_file.as_deref() else {
            continue;
        };
        let with_context = |problem: Problem| Problem {
            message: format!("{}: token-file: {}", rule.place, problem.message),
            ..problem
        };
        let value = match secret_file::read(path) {
            Ok(value) => value,
            Err(problem) => {
                problems.push(with_context(problem));
                continue;
            }
        };
        let is_same = |other: &(&Selectors, SecretString)| other.1.expose_secret() == value.expose_secret();
        match seen.iter().find(|other| is_same(other)) {
            Some((selectors, _)) if **selectors != rule.who => {
                let message = format!("{} holds the same token as that for {selectors}", path.display());
                let problem = Problem::configuration(message).next("give each of them a token of its own");
                problems.push(with_context(problem));
            }
            _ => seen.push((&rule.who, value)),
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Aliases;

    #[test]
    fn each_file_that_cannot_be_used_is_named_with_its_rule() {
        let folder = tempfile::tempdir().unwrap();
        let rule = |uid: u32, file: Option<&str>| AccessRule {
            place: format!("access[{uid}] of gatepost.toml"),
            who: Selectors {
                uid: Some(uid),
                ..Selectors::default()
            },
            role_aliases: Aliases::All,
            publish: Vec::new(),
            subscribe: Vec::new(),
            tokens: Vec::new(),
            token_file: file.map(|file| folder.path().join(file)),
        };
        let good = "0123456789abcdef0123456789abcdef";
        for (name, content, mode) in [
            ("good", good, 0o600),
            ("again", good, 0o640),
            ("short", &good[1..], 0o600),
            ("open", "abcdef0123456789abcdef0123456789", 0o644),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        for (second, cause) in [
            (rule(1, None), None),
            (rule(0, Some("good")), None),
            (rule(0, Some("again")), None),
            (rule(1, Some("good")), Some("holds the same token as that for uid 0")),
            (rule(1, Some("again")), Some("holds the same token as that for uid 0")),
            (rule(1, Some("short")), Some("holds 31 characters")),
            (rule(1, Some("open")), Some("is open to others (mode 0644)")),
            (rule(1, Some("missing")), Some("does not exist")),
        ] {
            let problems = examine_token_files(&[rule(0, Some("good")), second]);
            assert_eq!(problems.len(), usize::from(cause.is_some()), "{problems:?}");
            let text = problems.first().map(ToString::to_string).unwrap_or_default();
            assert!(text.contains(cause.unwrap_or_default()), "{text}");
            if cause.is_some() {
                assert!(text.starts_with("access[1] of gatepost.toml: token-file: "), "{text}");
                assert!(text.contains("; next: ") && !text.contains(&good[1..]), "{text}");
            }
        }
    }
}
