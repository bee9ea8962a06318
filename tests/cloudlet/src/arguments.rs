//! The command line.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use cloudlet::RoleAlias;
use cloudlet::switches::{BadCertificate, DeniedConnect, DeniedSubscribe, FirstContact, Switches, TlsVersions};
use lexopt::prelude::*;

use crate::suggestion::unknown_option;

pub(crate) const USAGE: &str = "\
cloudlet: AWS IoT Core for this machine

usage: cloudlet run [OPTION]...

  --region REGION            the AWS Region that it is (us-east-1)
  --dir DIR                  keep everything there, and go on from there (default: nothing is kept)
  --host NAME                the endpoints' host name (localhost)
  --listen ADDRESS           where the endpoints listen (127.0.0.1)
  --mqtt-port N              MQTT with mTLS (8883); 0 takes a free port, here and below
  --credentials-port N       the credentials provider (8444)
  --api-port N               what the AWS CLI speaks to: IoT, IAM, STS, S3 (8445)
  --log text|json            how events are printed (text)

What would take AWS CLI commands can be there from the start:
  --fleet-ca PEM             register a CA with the JITP article's template (may be repeated)
  --policy seed-with-credentials|seed-strict
                             the policy in that template
  --role-alias NAME[=SECONDS]
                             a role alias with its role (may be repeated)

What may happen, and what evidence about AWS leaves open:
  --jitp-delay SECONDS       how long provisioning takes (1 to 5 at random)
  --first-contact drop|hang|never
                             what an unknown certificate meets
  --jitp-again yes|no        whether JITP runs again for a certificate for which it has failed
  --function NAME=COMMAND    a Lambda function, for pre-provisioning hooks (may be repeated)
  --bad-certificate close|alert
                             where a certificate that may not connect is turned away
  --denied-connect close|connack
                             what MQTT 3.1.1 gets for a CONNECT that a policy denies
  --denied-subscribe close|suback
                             the same for SUBSCRIBE
  --without-sni refuse|accept
                             a handshake without SNI
  --tls both|1.2|1.3         the versions offered
  --connect-interval SECONDS the least time between two CONNECTs of a client ID (1; 10 was seen)
  --broker-saves changes|seldom
                             when mosquitto writes its sessions; seldom is every half an hour
  --lifetime NAME=SECONDS    how long a role alias's credentials live, whatever was granted

  -h, --help                 this text
  -V, --version              the version";

/// Options that may be given several times.
const REPEATABLE: [&str; 4] = ["fleet-ca", "role-alias", "lifetime", "function"];

/// The policy of provisioned devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyChoice {
    SeedStrict,
    SeedWithCredentials,
}

/// The output format of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Text,
    Json,
}

/// The result of parsing the command line.
#[derive(Debug)]
pub(crate) enum Order {
    Run(Box<Arguments>),
    /// Print this text.
    Say(String),
}

/// The options of `cloudlet run`.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) region: Option<String>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) host: String,
    pub(crate) listen: IpAddr,
    pub(crate) mqtt_port: u16,
    pub(crate) credentials_port: u16,
    pub(crate) api_port: u16,
    pub(crate) fleet_cas: Vec<PathBuf>,
    pub(crate) policy: PolicyChoice,
    /// Names and credentialDurationSeconds.
    pub(crate) role_aliases: Vec<(String, u64)>,
    /// Role aliases, and the lifetime of their credentials, whatever duration was granted.
    pub(crate) lifetimes: Vec<(String, i64)>,
    pub(crate) switches: Switches,
    pub(crate) broker_saves_seldom: bool,
    pub(crate) log: Log,
}

impl Order {
    pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Self, Box<dyn Error>> {
        let mut arguments = Arguments {
            region: None,
            dir: None,
            host: "localhost".to_owned(),
            listen: Ipv4Addr::LOCALHOST.into(),
            mqtt_port: 8883,
            credentials_port: 8444,
            api_port: 8445,
            fleet_cas: Vec::new(),
            policy: PolicyChoice::SeedWithCredentials,
            role_aliases: Vec::new(),
            lifetimes: Vec::new(),
            switches: Switches::default(),
            broker_saves_seldom: false,
            log: Log::Text,
        };
        let (mut run, mut given) = (false, Vec::new());
        while let Some(argument) = parser.next()? {
            match argument {
                Value(word) if word == "run" && !run => run = true,
                Short('h') | Long("help") => return Ok(Self::Say(USAGE.to_owned())),
                Short('V') | Long("version") => {
                    return Ok(Self::Say(format!("cloudlet {}", env!("CARGO_PKG_VERSION"))));
                }
                Long(name) => {
                    let name = name.to_owned();
                    if given.contains(&name) && !REPEATABLE.contains(&name.as_str()) {
                        return Err(format!("--{name} is given twice, and only one value can count").into());
                    }
                    given.push(name.clone());
                    arguments.take(&name, &mut parser)?;
                }
                _ => return Err(format!("{}; cloudlet --help lists what there is", argument.unexpected()).into()),
            }
        }
        match run {
            true => Ok(Self::Run(Box::new(arguments))),
            false => Err("nothing to do: `cloudlet run` starts it, `cloudlet --help` lists what there is".into()),
        }
    }
}

impl Arguments {
    fn take(&mut self, option: &str, parser: &mut lexopt::Parser) -> Result<(), Box<dyn Error>> {
        let switches = &mut self.switches;
        match option {
            "region" => {
                let region = parser.value()?.string()?;
                if !cloudlet::sigv4::is_region(&region) {
                    return Err(format!("--region {region:?}: a Region is like us-east-2").into());
                }
                self.region = Some(region);
            }
            "dir" => self.dir = Some(parser.value()?.into()),
            "host" => self.host = parser.value()?.string()?,
            "listen" => self.listen = parser.value()?.parse()?,
            "mqtt-port" => self.mqtt_port = parser.value()?.parse()?,
            "credentials-port" => self.credentials_port = parser.value()?.parse()?,
            "api-port" => self.api_port = parser.value()?.parse()?,
            "log" => self.log = choice(option, parser, &[("text", Log::Text), ("json", Log::Json)])?,
            "fleet-ca" => self.fleet_cas.push(parser.value()?.into()),
            "role-alias" => self.role_aliases.push(role_alias(&parser.value()?.string()?)?),
            "lifetime" => {
                let text = parser.value()?.string()?;
                let (name, seconds) = text.rsplit_once('=').ok_or("a lifetime is NAME=SECONDS")?;
                self.lifetimes.push((name.to_owned(), seconds.parse()?));
            }
            "policy" => {
                let seeds = [
                    ("seed-strict", PolicyChoice::SeedStrict),
                    ("seed-with-credentials", PolicyChoice::SeedWithCredentials),
                ];
                self.policy = choice(option, parser, &seeds)?;
            }
            "jitp-delay" => {
                let delay = seconds(parser)?;
                switches.jitp_delay = delay..=delay;
            }
            "broker-saves" => {
                self.broker_saves_seldom = choice(option, parser, &[("changes", false), ("seldom", true)])?;
            }
            "connect-interval" => switches.connect_interval = seconds(parser)?,
            "jitp-again" => switches.jitp_again = choice(option, parser, &[("yes", true), ("no", false)])?,
            "function" => {
                let text = parser.value()?.string()?;
                let (name, command) = text.split_once('=').ok_or("a function is NAME=COMMAND")?;
                switches.fleet.functions.insert(name.to_owned(), command.into());
            }
            "first-contact" => {
                let ways = [
                    ("drop", FirstContact::Drop),
                    ("hang", FirstContact::Hang),
                    ("never", FirstContact::Never),
                ];
                switches.first_contact = choice(option, parser, &ways)?;
            }
            "bad-certificate" => {
                let ways = [
                    ("close", BadCertificate::CloseAfterHandshake),
                    ("alert", BadCertificate::TlsAlert),
                ];
                switches.bad_certificate = choice(option, parser, &ways)?;
            }
            "denied-connect" => {
                let ways = [("close", DeniedConnect::Close), ("connack", DeniedConnect::Connack)];
                switches.denied_connect = choice(option, parser, &ways)?;
            }
            "denied-subscribe" => {
                let ways = [("close", DeniedSubscribe::Close), ("suback", DeniedSubscribe::Suback)];
                switches.denied_subscribe = choice(option, parser, &ways)?;
            }
            "without-sni" => {
                switches.accept_without_sni = choice(option, parser, &[("refuse", false), ("accept", true)])?;
            }
            "tls" => {
                let versions = [
                    ("both", TlsVersions::Both),
                    ("1.2", TlsVersions::Only12),
                    ("1.3", TlsVersions::Only13),
                ];
                switches.tls_versions = choice(option, parser, &versions)?;
            }
            _ => return Err(unknown_option(option, USAGE).into()),
        }
        Ok(())
    }
}

fn choice<T: Copy>(option: &str, parser: &mut lexopt::Parser, choices: &[(&str, T)]) -> Result<T, Box<dyn Error>> {
    let word = parser.value()?.string()?;
    let found = choices.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("--{option} {word:?}: it is one of {}", names.join(", ")).into()
    })
}

fn seconds(parser: &mut lexopt::Parser) -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::try_from_secs_f64(parser.value()?.parse()?)?)
}

fn role_alias(text: &str) -> Result<(String, u64), Box<dyn Error>> {
    match text.rsplit_once('=') {
        Some((name, seconds)) if !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((name.to_owned(), seconds.parse()?))
        }
        // The name of an alias may contain an equals sign.
        _ => Ok((text.to_owned(), RoleAlias::DEFAULT_DURATION_SECONDS)),
    }
}

#[cfg(test)]
mod tests {
    use super::Order;

    #[test]
    fn a_mistaken_option_is_refused_with_what_was_meant() {
        for (words, says) in [
            (&["run", "--regoin=us-east-2"][..], "did you mean --region?"),
            (&["run", "--jitp-dely=1"], "did you mean --jitp-delay?"),
            (&["run", "--mqttport=1"], "did you mean --mqtt-port?"),
            (&["run", "--frobnicate=1"], "no option --frobnicate; cloudlet --help"),
            (&["run", "--host=a", "--host=b"], "--host is given twice"),
            (
                &["run", "--jitp-delay=1", "--jitp-delay=2"],
                "--jitp-delay is given twice",
            ),
        ] {
            let parser = lexopt::Parser::from_iter(["cloudlet"].iter().chain(words));
            let error = Order::parse(parser).map(|_| ()).map_err(|error| error.to_string());
            assert!(
                error.as_ref().is_err_and(|error| error.contains(says)),
                "{words:?}: {error:?}"
            );
        }
        let repeated = [
            "cloudlet",
            "run",
            "--role-alias=a",
            "--role-alias=b",
            "--lifetime=a=60",
            "--lifetime=b=60",
        ];
        assert!(Order::parse(lexopt::Parser::from_iter(repeated)).is_ok());
    }
}
