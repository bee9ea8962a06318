//! The command line.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use cloudlet::RoleAlias;
use cloudlet::switches::FirstContact;
use lexopt::prelude::*;

pub(crate) const USAGE: &str = "\
usage: cloudlet run --dir DIR [--host NAME] [--mqtt-port N] [--credentials-port N] [--api-port N]
                    [--fleet-ca PEM]... [--role-alias NAME[=SECONDS]]...
                    [--lifetime NAME=SECONDS]...
                    [--policy seed-strict|seed-with-credentials] [--jitp-delay SECONDS]
                    [--first-contact drop|hang|never] [--log text|json]";

/// Which policy provisioned devices get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyChoice {
    SeedStrict,
    SeedWithCredentials,
}

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Text,
    Json,
}

/// The command line, parsed.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) dir: PathBuf,
    pub(crate) host: String,
    pub(crate) mqtt_port: u16,
    pub(crate) credentials_port: u16,
    pub(crate) api_port: u16,
    pub(crate) fleet_cas: Vec<PathBuf>,
    pub(crate) policy: PolicyChoice,
    /// Names and credentialDurationSeconds.
    pub(crate) role_aliases: Vec<(String, u64)>,
    /// Names, and how long what they issue lives whatever was granted.
    pub(crate) lifetimes: Vec<(String, i64)>,
    pub(crate) jitp_delay: Option<Duration>,
    pub(crate) first_contact: FirstContact,
    pub(crate) log: Log,
}

impl Arguments {
    pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Self, Box<dyn Error>> {
        let mut arguments = Self {
            dir: PathBuf::new(),
            host: "localhost".to_owned(),
            mqtt_port: 8883,
            credentials_port: 8444,
            api_port: 8445,
            fleet_cas: Vec::new(),
            policy: PolicyChoice::SeedWithCredentials,
            role_aliases: Vec::new(),
            lifetimes: Vec::new(),
            jitp_delay: None,
            first_contact: FirstContact::Drop,
            log: Log::Text,
        };
        let mut run = false;
        while let Some(argument) = parser.next()? {
            match argument {
                Value(word) if word == "run" && !run => run = true,
                Long("dir") => arguments.dir = parser.value()?.into(),
                Long("host") => arguments.host = parser.value()?.string()?,
                Long("mqtt-port") => arguments.mqtt_port = parser.value()?.parse()?,
                Long("credentials-port") => arguments.credentials_port = parser.value()?.parse()?,
                Long("api-port") => arguments.api_port = parser.value()?.parse()?,
                Long("fleet-ca") => arguments.fleet_cas.push(parser.value()?.into()),
                Long("role-alias") => arguments.role_aliases.push(role_alias(&parser.value()?.string()?)?),
                Long("lifetime") => {
                    let text = parser.value()?.string()?;
                    let (name, seconds) = text.rsplit_once('=').ok_or("a lifetime is NAME=SECONDS")?;
                    arguments.lifetimes.push((name.to_owned(), seconds.parse()?));
                }
                Long("policy") => {
                    arguments.policy = match parser.value()?.string()?.as_str() {
                        "seed-strict" => PolicyChoice::SeedStrict,
                        "seed-with-credentials" => PolicyChoice::SeedWithCredentials,
                        other => return Err(format!("no policy is called {other}").into()),
                    }
                }
                Long("jitp-delay") => {
                    let seconds: f64 = parser.value()?.parse()?;
                    arguments.jitp_delay = Some(Duration::try_from_secs_f64(seconds)?);
                }
                Long("first-contact") => {
                    arguments.first_contact = match parser.value()?.string()?.as_str() {
                        "drop" => FirstContact::Drop,
                        "hang" => FirstContact::Hang,
                        "never" => FirstContact::Never,
                        other => return Err(format!("first contact cannot be {other}").into()),
                    }
                }
                Long("log") => {
                    arguments.log = match parser.value()?.string()?.as_str() {
                        "text" => Log::Text,
                        "json" => Log::Json,
                        other => return Err(format!("no log format is called {other}").into()),
                    }
                }
                _ => return Err(format!("{}\n{USAGE}", argument.unexpected()).into()),
            }
        }
        if !run || arguments.dir.as_os_str().is_empty() {
            return Err(USAGE.into());
        }
        Ok(arguments)
    }
}

fn role_alias(text: &str) -> Result<(String, u64), Box<dyn Error>> {
    match text.rsplit_once('=') {
        Some((name, seconds)) if seconds.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((name.to_owned(), seconds.parse()?))
        }
        // An alias's name may contain an equals sign itself.
        _ => Ok((text.to_owned(), RoleAlias::DEFAULT_DURATION_SECONDS)),
    }
}
