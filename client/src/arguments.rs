//! The command line: options may stand before or after the command.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::exit::{Exit, Failure};
use crate::help::Topic;
use crate::setup_profile::Wanted;
use crate::sign;
use crate::status::View;

pub(crate) const DEFAULT_SOCKET: &str = "/run/gatepost/gatepost.sock";
/// The environment variable that names another socket.
pub(crate) const SOCKET_VARIABLE: &str = "GATEPOST_SOCKET";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Credentials {
        alias: Option<OsString>,
    },
    Status(View),
    Csr,
    Env {
        alias: Option<OsString>,
    },
    /// What follows the word is for gatepostd, which knows the wish by this option.
    Gatepostd {
        wish: &'static str,
        arguments: Vec<OsString>,
    },
    SetupProfile(Wanted),
    Sign(sign::Request),
    Help(Topic),
    Version,
}

/// The command line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) socket: PathBuf,
    pub(crate) command: Command,
}

/// Commands that are gatepostd's: it needs no running daemon for them.
const DELEGATED: [(&str, &str, Topic); 2] = [
    ("check", "--check", Topic::Check),
    ("policy", "--print-policy", Topic::Policy),
];

/// An option, whether a value follows it, and the commands that know it; none for one that stands anywhere.
struct Known {
    name: &'static str,
    value: bool,
    commands: &'static [&'static str],
}

const OPTIONS: &[Known] = &[
    Known::value("--socket", &[]),
    Known::flag("--help", &[]),
    Known::flag("--version", &[]),
    Known::flag("--json", &["status"]),
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
struct Sorted {
    options: Vec<(&'static Known, OsString)>,
    words: Vec<OsString>,
}

/// The command is gatepostd's; its options are not ours to understand, only a socket before it.
fn delegated(arguments: &[OsString], environment: Option<&OsStr>) -> Option<Invocation> {
    let (socket, arguments) = match arguments {
        [option, socket, rest @ ..] if option == "--socket" => (Some(socket.as_os_str()), rest),
        [option, rest @ ..] => match option.to_str().and_then(|option| option.strip_prefix("--socket=")) {
            Some(socket) => (Some(OsStr::new(socket)), rest),
            None => (environment, arguments),
        },
        [] => return None,
    };
    let (name, arguments) = arguments.split_first()?;
    let (_, wish, topic) = DELEGATED.into_iter().find(|(word, ..)| name == word)?;
    let help = arguments.iter().any(|word| word == "--help" || word == "-h");
    let socket = socket.filter(|socket| !socket.is_empty());
    Some(Invocation {
        socket: socket.map_or_else(|| DEFAULT_SOCKET.into(), PathBuf::from),
        command: match help {
            true => Command::Help(topic),
            false => Command::Gatepostd {
                wish,
                arguments: arguments.to_vec(),
            },
        },
    })
}

/// Understands the arguments after the program's name; `environment` is the value of [`SOCKET_VARIABLE`].
pub(crate) fn parse(
    arguments: impl Iterator<Item = OsString>,
    environment: Option<OsString>,
) -> Result<Invocation, Failure> {
    let arguments: Vec<OsString> = arguments.collect();
    if let Some(invocation) = delegated(&arguments, environment.as_deref()) {
        return Ok(invocation);
    }
    let mut sorted = Sorted::of(arguments.into_iter())?;
    let socket = sorted.value("--socket");
    let (help, version) = (sorted.flag("--help"), sorted.flag("--version"));
    let mut words = std::mem::take(&mut sorted.words).into_iter();
    let name = words.next();
    let name = name.as_deref().map(OsStr::to_string_lossy);
    let command = match name.as_deref() {
        _ if version => Command::Version,
        Some("help") => Command::Help(topic(words.next())?),
        Some(name) if help => Command::Help(topic(Some(name.into()))?),
        None if help => Command::Help(Topic::All),
        Some("credentials") => Command::Credentials {
            alias: alias(words.next())?,
        },
        Some("status") => Command::Status(View {
            json: sorted.flag("--json"),
            watch: sorted.flag("--watch"),
        }),
        Some("csr") => Command::Csr,
        Some("env") => Command::Env {
            alias: alias(words.next())?,
        },
        Some("setup-profile") => Command::SetupProfile(Wanted {
            alias: alias(words.next())?,
            profile: sorted.value("--profile"),
            region: sorted.value("--region"),
            file: sorted.value("--file"),
            socket: socket.clone(),
        }),
        Some("sign") => Command::Sign(sign::Request {
            url: words.next().ok_or_else(|| usage("the URL is missing"))?,
            alias: sorted.value("--alias"),
            service: sorted.value("--service"),
            region: sorted.value("--region"),
            method: sorted.value("--method"),
            headers: sorted.values("--header"),
            payload_hash: sorted.value("--payload-hash"),
            unsigned_payload: sorted.flag("--unsigned-payload"),
            expires: sorted.value("--expires"),
        }),
        Some(word) if DELEGATED.iter().any(|(known, ..)| *known == word) => {
            return Err(usage(format!("options of the command {word} stand after it")));
        }
        Some(other) => return Err(usage(format!("unknown command {other:?}"))),
        None => return Err(usage("no command given")),
    };
    if !matches!(command, Command::Help(_) | Command::Version) {
        if let Some(extra) = words.next() {
            return Err(usage(format!("unexpected argument {extra:?}")));
        }
        sorted.belong_to(name.as_deref().unwrap_or_default())?;
    } else if !help
        && !version
        && let Some(extra) = words.next()
    {
        return Err(usage(format!("unexpected argument {extra:?}")));
    }
    let socket = socket
        .or_else(|| environment.filter(|path| !path.is_empty()))
        .unwrap_or_else(|| DEFAULT_SOCKET.into());
    Ok(Invocation {
        socket: socket.into(),
        command,
    })
}

impl Sorted {
    fn of(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
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

    fn flag(&self, name: &str) -> bool {
        self.options.iter().any(|(known, _)| known.name == name)
    }

    /// An option's value; the last one counts.
    fn value(&self, name: &str) -> Option<OsString> {
        self.values(name).pop()
    }

    /// All values of an option.
    fn values(&self, name: &str) -> Vec<OsString> {
        let values = self.options.iter().filter(|(known, _)| known.name == name);
        values.map(|(_, value)| value.clone()).collect()
    }

    fn belong_to(&self, command: &str) -> Result<(), Failure> {
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

fn alias(word: Option<OsString>) -> Result<Option<OsString>, Failure> {
    match word {
        Some(alias) if alias.is_empty() => Err(usage("the role alias is empty")),
        alias => Ok(alias),
    }
}

fn topic(word: Option<OsString>) -> Result<Topic, Failure> {
    let Some(word) = word else { return Ok(Topic::All) };
    match word.to_str() {
        Some("credentials") => Ok(Topic::Credentials),
        Some("status") => Ok(Topic::Status),
        Some("csr") => Ok(Topic::Csr),
        Some("env") => Ok(Topic::Env),
        Some("check") => Ok(Topic::Check),
        Some("policy") => Ok(Topic::Policy),
        Some("setup-profile") => Ok(Topic::SetupProfile),
        Some("sign") => Ok(Topic::Sign),
        Some("help") => Ok(Topic::All),
        _ => Err(usage(format!("no help for {word:?}"))),
    }
}

fn usage(message: impl AsRef<str>) -> Failure {
    Failure::new(Exit::Usage, format!("{}; see gatepost --help", message.as_ref()))
}

#[cfg(test)]
mod tests;
