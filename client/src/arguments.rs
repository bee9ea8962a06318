//! The command line: options may stand before or after the command.

mod options;
mod verbs;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::exit::{Exit, Failure};
use crate::help::Topic;
use crate::setup_profile::Wanted;
use crate::status::View;
use crate::{outbox, publish, sign, subscribe, subscriptions};
use options::Sorted;

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
    Publish(publish::Wanted),
    Subscribe(subscribe::Wanted),
    Subscriptions(subscriptions::Wish),
    Outbox(outbox::Wish),
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
            url: needed(words.next(), "the URL")?,
            alias: sorted.value("--alias"),
            service: sorted.value("--service"),
            region: sorted.value("--region"),
            method: sorted.value("--method"),
            headers: sorted.values("--header"),
            payload_hash: sorted.value("--payload-hash"),
            unsigned_payload: sorted.flag("--unsigned-payload"),
            expires: sorted.value("--expires"),
        }),
        Some("publish") => Command::Publish(publish::Wanted {
            topic: needed(words.next(), "the topic")?,
            message: words.next(),
            qos: sorted.value("--qos"),
            retain: sorted.flag("--retain"),
            wait: sorted.flag("--wait"),
            timeout: sorted.value("--timeout"),
            content_type: sorted.value("--content-type"),
            expiry: sorted.value("--expiry"),
            lines: sorted.flag("--lines"),
        }),
        Some("subscribe") => Command::Subscribe(subscribe::Wanted {
            filter: needed(words.next(), "the topic filter")?,
            qos: sorted.value("--qos"),
            name: sorted.value("--name"),
            no_ack: sorted.flag("--no-ack"),
            count: sorted.value("--count"),
        }),
        Some("subscriptions") => Command::Subscriptions(verbs::subscriptions(&mut words, &sorted)?),
        Some("outbox") => Command::Outbox(verbs::outbox(&mut words, &sorted)?),
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

fn needed(word: Option<OsString>, what: &str) -> Result<OsString, Failure> {
    let word = word.filter(|word| !word.is_empty());
    word.ok_or_else(|| usage(format!("{what} is missing")))
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
        Some("publish") => Ok(Topic::Publish),
        Some("subscribe") => Ok(Topic::Subscribe),
        Some("subscriptions") => Ok(Topic::Subscriptions),
        Some("outbox") => Ok(Topic::Outbox),
        Some("help") => Ok(Topic::All),
        _ => Err(usage(format!("no help for {word:?}"))),
    }
}

fn usage(message: impl AsRef<str>) -> Failure {
    Failure::new(Exit::Usage, format!("{}; see gatepost --help", message.as_ref()))
}

#[cfg(test)]
mod tests;
