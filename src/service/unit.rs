//! What the unit gives the service and a shell does not have: variables, on which PKCS#11 modules depend, and groups.

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(super) const UNIT: &str = "gatepost.service";
/// By this a process knows which variables it was given, so that it says so.
const TAKEN: &str = "GATEPOST_CHECK_ENVIRONMENT";

/// The variables that [`take_environment`] has added to this process, by name.
pub fn taken() -> Vec<String> {
    let names = env::var(TAKEN).unwrap_or_default();
    names.split_whitespace().map(str::to_owned).collect()
}

/// Begins this process anew with the variables of the unit that it lacks. Returns where it lacks none; what is set already
/// stays as it is.
///
/// # Errors
/// When the process cannot be begun anew.
pub fn take_environment() -> io::Result<()> {
    if env::var_os(TAKEN).is_some() {
        return Ok(());
    }
    let lacking: BTreeMap<String, String> = property("Environment")
        .iter()
        .filter_map(|variable| variable.split_once('='))
        .filter(|(name, _)| !name.is_empty() && env::var_os(name).is_none())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = lacking.keys().map(String::as_str).collect();
    // Only a new process has other variables: a library that is loaded, and other threads, may read them at any time.
    Err(Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(TAKEN, names.join(" "))
        .envs(&lacking)
        .exec())
}

/// The groups that the unit adds to the user's own.
pub(super) fn groups() -> Vec<String> {
    property("SupplementaryGroups")
}

/// The main file of the configuration that the unit starts gatepostd with; `None` where it names none.
pub fn config_path() -> Option<PathBuf> {
    configured(&property("ExecStart"))
}

/// systemctl shows the words of a command between `argv[]=` and `;`.
fn configured(shown: &[String]) -> Option<PathBuf> {
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

/// Whether systemd runs the service.
pub(super) fn is_active() -> bool {
    systemctl(&["is-active", "--quiet"])
}

/// Whether systemctl does this with the unit.
pub(super) fn systemctl(words: &[&str]) -> bool {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(words).arg(UNIT);
    let silent = systemctl
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// A property of the unit that is a list; empty where there is no systemd, or no such unit.
fn property(name: &str) -> Vec<String> {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["show", "--value", "--property", name, UNIT]);
    match systemctl.stdin(Stdio::null()).stderr(Stdio::null()).output() {
        Ok(said) if said.status.success() => words(&String::from_utf8_lossy(&said.stdout)),
        _ => Vec::new(),
    }
}

/// systemctl puts blanks between the items, and an item that a shell would take apart into double quotes (systemd,
/// src/basic/escape.c, shell_maybe_quote).
fn words(text: &str) -> Vec<String> {
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

    use super::{configured, words};

    #[test]
    fn the_configuration_is_that_of_the_units_command() {
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
            assert_eq!(configured(&words(shown)).as_deref(), path.map(Path::new), "{shown}");
        }
    }

    #[test]
    fn what_systemctl_shows_is_read_as_it_was_set() {
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
