//! Settings of the systemd unit that a shell lacks: environment variables, on which PKCS#11 modules depend, and groups.

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(super) const UNIT: &str = "gatepost.service";
/// Environment variable with the names of the variables that [`take_environment`] has added.
const TAKEN: &str = "GATEPOST_CHECK_ENVIRONMENT";

/// Returns the names of the variables that [`take_environment`] has added to this process.
pub fn taken_variables() -> Vec<String> {
    let names = env::var(TAKEN).unwrap_or_default();
    names.split_whitespace().map(str::to_owned).collect()
}

/// Restarts this process with the variables of the unit that it lacks. Returns if it lacks none. Variables that are set keep their
/// value.
///
/// # Errors
/// When the process cannot be restarted.
pub fn take_environment() -> io::Result<()> {
    if env::var_os(TAKEN).is_some() {
        return Ok(());
    }
    let missing: BTreeMap<String, String> = property("Environment")
        .iter()
        .filter_map(|variable| variable.split_once('='))
        .filter(|(name, _)| !name.is_empty() && env::var_os(name).is_none())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.keys().map(String::as_str).collect();
    // The variables of a running process cannot be changed safely: loaded libraries and other threads may read them at any time.
    Err(Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(TAKEN, names.join(" "))
        .envs(&missing)
        .exec())
}

/// Returns the groups that the unit adds to those of the user.
pub(super) fn groups() -> Vec<String> {
    property("SupplementaryGroups")
}

/// Returns the path of the configuration in the command line of the unit; `None` if it has none.
pub fn config_path() -> Option<PathBuf> {
    parse_config_option(&property("ExecStart"))
}

/// Finds the option `--config` in a command line, which systemctl shows between `argv[]=` and `;`.
fn parse_config_option(shown: &[String]) -> Option<PathBuf> {
    let words = shown.iter().skip_while(|word| !word.starts_with("argv[]="));
    let mut words = words.take_while(|word| *word != ";").map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--config" => return words.next().map(PathBuf::from),
            _ => {
                if let Some(path) = word.strip_prefix("--config=") {
                    return Some(PathBuf::from(path));
                }
            }
        }
    }
    None
}

/// Returns whether the service is active.
pub(super) fn is_active() -> bool {
    systemctl(&["is-active", "--quiet"])
}

/// Runs systemctl for the unit; returns whether it succeeds.
pub(super) fn systemctl(words: &[&str]) -> bool {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(words).arg(UNIT);
    let silent = systemctl
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Returns a property of the unit that is a list; empty if there is no systemd or no such unit.
fn property(name: &str) -> Vec<String> {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["show", "--value", "--property", name, UNIT]);
    match systemctl.stdin(Stdio::null()).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => words(&String::from_utf8_lossy(&output.stdout)),
        _ => Vec::new(),
    }
}

/// Splits a list as systemctl prints it: items are separated by blanks, and quoted if they contain special characters (systemd,
/// src/basic/escape.c, shell_maybe_quote).
pub(super) fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => {
                let escaped = letters.next().map(|letter| match letter {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
                word.get_or_insert_default().extend(escaped);
            }
            letter if letter.is_whitespace() && !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{parse_config_option, words};

    #[test]
    fn the_configuration_is_taken_from_the_command_of_the_unit() {
        for (shown, path) in [
            ("", None),
            (
                "{ path=/usr/sbin/gatepostd ; argv[]=/usr/sbin/gatepostd ; ignore_errors=no ; pid=7 }",
                None,
            ),
            (
                "{ path=/usr/sbin/gatepostd ; argv[]=/usr/sbin/gatepostd --config /srv/g.toml ; ignore_errors=no }",
                Some("/srv/g.toml"),
            ),
            (
                "{ path=/usr/sbin/gatepostd ; argv[]=/usr/sbin/gatepostd --config=/srv/g.toml ; ignore_errors=no }",
                Some("/srv/g.toml"),
            ),
            ("{ path=/x ; argv[]=/x --config ; ignore_errors=no }", None),
            ("{ path=/x ; argv[]=/x ; status=--config=/not/this }", None),
        ] {
            assert_eq!(
                parse_config_option(&words(shown)).as_deref(),
                path.map(Path::new),
                "{shown}"
            );
        }
    }

    #[test]
    fn properties_are_parsed_as_systemctl_prints_them() {
        for (shown, items) in [
            ("\n", &[][..]),
            (
                "TPM2_PKCS11_STORE=/var/lib/gatepost/tpm2-pkcs11 A=b\n",
                &["TPM2_PKCS11_STORE=/var/lib/gatepost/tpm2-pkcs11", "A=b"],
            ),
            ("\"A=b c\" D=e\n", &["A=b c", "D=e"]),
            (r#""A=\"b\" \$c \\d" "E=""#, &[r#"A="b" $c \d"#, "E="]),
        ] {
            assert_eq!(words(shown), items, "{shown}");
        }
    }
}
