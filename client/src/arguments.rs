//! The command line: options may stand before or after the command.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::exit::{Exit, Failure};
use crate::help::Topic;
use crate::setup_profile::Wanted;

const DEFAULT_SOCKET: &str = "/run/gatepost/gatepost.sock";
/// The environment variable that names another socket.
pub(crate) const SOCKET_VARIABLE: &str = "GATEPOST_SOCKET";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Credentials {
        alias: Option<OsString>,
    },
    Status {
        json: bool,
    },
    Csr,
    /// What follows the word is for gatepostd.
    Policy {
        arguments: Vec<OsString>,
    },
    SetupProfile(Wanted),
    Help(Topic),
    Version,
}

/// The command line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) socket: PathBuf,
    pub(crate) command: Command,
}

/// Options and words, sorted apart but not yet judged against each other.
#[derive(Default)]
struct Words {
    socket: Option<OsString>,
    profile: Option<OsString>,
    region: Option<OsString>,
    file: Option<OsString>,
    json: bool,
    help: bool,
    version: bool,
    words: Vec<OsString>,
}

/// Understands the arguments after the program's name; `environment` is the value of [`SOCKET_VARIABLE`].
pub(crate) fn parse(
    arguments: impl Iterator<Item = OsString>,
    environment: Option<OsString>,
) -> Result<Invocation, Failure> {
    let mut arguments = arguments.peekable();
    // Its options are not ours to understand.
    if arguments.next_if(|word| word == "policy").is_some() {
        let arguments: Vec<OsString> = arguments.collect();
        let help = arguments.iter().any(|word| word == "--help" || word == "-h");
        return Ok(Invocation {
            socket: DEFAULT_SOCKET.into(),
            command: match help {
                true => Command::Help(Topic::Policy),
                false => Command::Policy { arguments },
            },
        });
    }
    let Words {
        socket,
        profile,
        region,
        file,
        json,
        help,
        version,
        words,
    } = sort(arguments)?;
    let of_profile = profile.is_some() || region.is_some() || file.is_some();
    let mut words = words.into_iter();
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
        Some("status") => Command::Status { json },
        Some("csr") => Command::Csr,
        Some("setup-profile") => Command::SetupProfile(Wanted {
            alias: alias(words.next())?,
            profile,
            region,
            file,
            socket: socket.clone(),
        }),
        Some(other) => return Err(usage(format!("unknown command {other:?}"))),
        None => return Err(usage("no command given")),
    };
    if let Some(extra) = words.next().filter(|_| !help && !version) {
        return Err(usage(format!("unexpected argument {extra:?}")));
    }
    if json && !matches!(command, Command::Status { .. } | Command::Help(_) | Command::Version) {
        return Err(usage("--json belongs to the command status"));
    }
    if of_profile && !matches!(command, Command::SetupProfile(_) | Command::Help(_) | Command::Version) {
        return Err(usage(
            "--profile, --region and --file belong to the command setup-profile",
        ));
    }

    let socket = socket
        .or_else(|| environment.filter(|path| !path.is_empty()))
        .unwrap_or_else(|| DEFAULT_SOCKET.into());
    Ok(Invocation {
        socket: socket.into(),
        command,
    })
}

fn sort(mut arguments: impl Iterator<Item = OsString>) -> Result<Words, Failure> {
    let mut sorted = Words::default();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--") => sorted.words.extend(arguments.by_ref()),
            Some("--json") => sorted.json = true,
            Some("--help" | "-h") => sorted.help = true,
            Some("--version" | "-V") => sorted.version = true,
            _ => match sorted.take_value(&argument, &mut arguments)? {
                true => {}
                false if argument.len() > 1 && argument.as_encoded_bytes().starts_with(b"-") => {
                    return Err(usage(format!("unknown option {argument:?}")));
                }
                false => sorted.words.push(argument),
            },
        }
    }
    Ok(sorted)
}

impl Words {
    /// Takes an option that has a value, written `--option VALUE` or `--option=VALUE`; false if it is none.
    fn take_value(&mut self, argument: &OsStr, rest: &mut impl Iterator<Item = OsString>) -> Result<bool, Failure> {
        for (option, place) in [
            ("--socket", &mut self.socket),
            ("--profile", &mut self.profile),
            ("--region", &mut self.region),
            ("--file", &mut self.file),
        ] {
            let value = match value_of(argument, &format!("{option}=")) {
                Some(value) => Some(value),
                None if argument == option => rest.next(),
                None => continue,
            };
            let value = value.filter(|value| !value.is_empty());
            *place = Some(value.ok_or_else(|| usage(format!("{option} needs a value")))?);
            return Ok(true);
        }
        Ok(false)
    }
}

/// What follows `option` in an argument; paths need not be UTF-8.
fn value_of(argument: &OsStr, option: &str) -> Option<OsString> {
    use std::os::unix::ffi::OsStrExt;
    let value = argument.as_bytes().strip_prefix(option.as_bytes())?;
    Some(OsStr::from_bytes(value).to_owned())
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
        Some("policy") => Ok(Topic::Policy),
        Some("setup-profile") => Ok(Topic::SetupProfile),
        Some("help") => Ok(Topic::All),
        _ => Err(usage(format!("no help for {word:?}"))),
    }
}

fn usage(message: impl AsRef<str>) -> Failure {
    Failure::new(Exit::Usage, format!("{}; see gatepost --help", message.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::{Command, parse};
    use crate::exit::Exit;
    use crate::help::Topic;
    use crate::setup_profile::Wanted;

    fn arguments(line: &str) -> impl Iterator<Item = std::ffi::OsString> {
        line.split_whitespace().map(Into::into)
    }

    #[test]
    fn understood() {
        let alias = |name: &str| Command::Credentials {
            alias: Some(name.into()),
        };
        for (line, command) in [
            ("credentials", Command::Credentials { alias: None }),
            ("credentials telemetry", alias("telemetry")),
            ("--socket /s credentials telemetry", alias("telemetry")),
            ("credentials --socket=/s telemetry", alias("telemetry")),
            ("credentials telemetry --socket /s", alias("telemetry")),
            ("credentials -- --odd", alias("--odd")),
            ("credentials -", alias("-")),
            ("status", Command::Status { json: false }),
            ("--json status", Command::Status { json: true }),
            ("csr", Command::Csr),
            ("policy", Command::Policy { arguments: vec![] }),
            (
                "policy --account 1",
                Command::Policy {
                    arguments: vec!["--account".into(), "1".into()],
                },
            ),
            (
                "setup-profile telemetry --region=us-east-2 --file /f",
                Command::SetupProfile(Wanted {
                    alias: Some("telemetry".into()),
                    region: Some("us-east-2".into()),
                    file: Some("/f".into()),
                    ..Wanted::default()
                }),
            ),
            ("policy --help", Command::Help(Topic::Policy)),
            ("help policy", Command::Help(Topic::Policy)),
            ("--help", Command::Help(Topic::All)),
            ("help", Command::Help(Topic::All)),
            ("help csr", Command::Help(Topic::Csr)),
            ("status -h", Command::Help(Topic::Status)),
            ("credentials some alias --help", Command::Help(Topic::Credentials)),
            ("-V", Command::Version),
            ("status --version", Command::Version),
        ] {
            let invocation = parse(arguments(line), None).unwrap();
            assert_eq!(invocation.command, command, "{line}");
        }
    }

    #[test]
    fn the_socket_is_the_option_or_the_environment_or_the_default() {
        for (line, environment, socket) in [
            ("csr", None, "/run/gatepost/gatepost.sock"),
            ("csr", Some(""), "/run/gatepost/gatepost.sock"),
            ("csr", Some("/e"), "/e"),
            ("csr --socket /s", Some("/e"), "/s"),
            ("--socket=/s csr", None, "/s"),
        ] {
            let invocation = parse(arguments(line), environment.map(Into::into)).unwrap();
            assert_eq!(invocation.socket.to_str(), Some(socket), "{line} {environment:?}");
        }
    }

    #[test]
    fn refused_in_one_line() {
        for line in [
            "",
            "credential",
            "credentials a b",
            "status now",
            "csr x",
            "status --jsn",
            "-x",
            "credentials --json",
            "setup-profile --json",
            "status --profile x",
            "setup-profile --region",
            "csr --json",
            "--socket",
            "status --socket=",
            "help frobnicate",
            "help csr status",
            "frobnicate --help",
        ] {
            let failure = parse(arguments(line), None).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage, "{line}");
            assert!(
                failure.message().contains("--help") && !failure.message().contains('\n'),
                "{line}"
            );
        }
        assert!(parse(["credentials".into(), "".into()].into_iter(), None).is_err());
    }
}
