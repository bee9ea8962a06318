//! Options and words, sorted apart.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::usage;
use crate::exit::Failure;

/// An option, whether a value follows it, and the commands that know it; none for one that stands anywhere.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) value: bool,
    pub(super) commands: &'static [&'static str],
}

pub(super) const OPTIONS: &[Known] = &[
    Known::value("--socket", &[]),
    Known::flag("--help", &[]),
    Known::flag("--version", &[]),
    Known::flag("--json", &["status", "outbox", "subscriptions"]),
    Known::flag("--watch", &["status"]),
    Known::value("--profile", &["setup-profile"]),
    Known::value("--region", &["setup-profile", "sign"]),
    Known::value("--alias", &["sign"]),
    Known::value("--service", &["sign"]),
    Known::value("--method", &["sign"]),
    Known::value("--header", &["sign"]),
    Known::value("--payload-hash", &["sign"]),
    Known::flag("--unsigned-payload", &["sign"]),
    Known::value("--expires", &["sign"]),
    Known::value("--file", &["setup-profile"]),
    Known::value("--qos", &["publish", "subscribe"]),
    Known::flag("--retain", &["publish"]),
    Known::flag("--wait", &["publish"]),
    Known::value("--timeout", &["publish"]),
    Known::value("--content-type", &["publish"]),
    Known::value("--expiry", &["publish"]),
    Known::flag("--lines", &["publish"]),
    Known::value("--name", &["subscribe"]),
    Known::flag("--no-ack", &["subscribe"]),
    Known::value("--count", &["subscribe"]),
    Known::flag("--parked", &["outbox"]),
];

impl Known {
    const fn flag(name: &'static str, commands: &'static [&'static str]) -> Self {
        Self {
            name,
            value: false,
            commands,
        }
    }

    const fn value(name: &'static str, commands: &'static [&'static str]) -> Self {
        Self {
            name,
            value: true,
            commands,
        }
    }
}

/// Options and words, sorted apart.
#[derive(Default)]
pub(super) struct Sorted {
    options: Vec<(&'static Known, OsString)>,
    pub(super) words: Vec<OsString>,
}

impl Sorted {
    pub(super) fn of(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut sorted = Self::default();
        while let Some(argument) = arguments.next() {
            // Paths need not be UTF-8.
            let bytes = argument.as_bytes();
            let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
                Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..)),
                None => (bytes, None),
            };
            let name: &[u8] = match name {
                b"--" if value.is_none() => {
                    sorted.words.extend(arguments.by_ref());
                    break;
                }
                b"-h" => b"--help",
                b"-V" => b"--version",
                name => name,
            };
            let known = OPTIONS.iter().find(|known| known.name.as_bytes() == name);
            let value = value.map(|value| OsStr::from_bytes(value).to_owned());
            match known {
                Some(known) if known.value => {
                    let value = value.or_else(|| arguments.next()).filter(|value| !value.is_empty());
                    let value = value.ok_or_else(|| usage(format!("{} needs a value", known.name)))?;
                    sorted.options.push((known, value));
                }
                Some(known) if value.is_none() => sorted.options.push((known, OsString::new())),
                Some(known) => return Err(usage(format!("{} takes no value", known.name))),
                None if bytes.len() > 1 && bytes.starts_with(b"-") => {
                    return Err(usage(format!("unknown option {argument:?}")));
                }
                None => sorted.words.push(argument),
            }
        }
        Ok(sorted)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.options.iter().any(|(known, _)| known.name == name)
    }

    /// An option's value; the last one counts.
    pub(super) fn value(&self, name: &str) -> Option<OsString> {
        self.values(name).pop()
    }

    /// All values of an option.
    pub(super) fn values(&self, name: &str) -> Vec<OsString> {
        let values = self.options.iter().filter(|(known, _)| known.name == name);
        values.map(|(_, value)| value.clone()).collect()
    }

    pub(super) fn belong_to(&self, command: &str) -> Result<(), Failure> {
        let belongs = |known: &Known| known.commands.is_empty() || known.commands.contains(&command);
        match self.options.iter().find(|(known, _)| !belongs(known)) {
            None => Ok(()),
            Some((known, _)) => Err(usage(format!(
                "{} belongs to the command {}",
                known.name,
                known.commands.join(" or ")
            ))),
        }
    }
}
