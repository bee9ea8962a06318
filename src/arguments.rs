//! gatepostd's command line.

mod operator;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use lexopt::prelude::*;

use crate::allow::AllowRequest;
use crate::build_info::VERSION_AND_COMMIT;
use crate::config::DEFAULT_PATH;
use crate::foreign_text::clean;
use crate::install_certificate::InstallRequest;
use crate::prepare_token::Preparation;
use crate::problem::{Exit, Fatal, Problem};

const HELP: &str = "\
gatepostd keeps one gateway's identity on AWS IoT Core.

Usage: gatepostd [--config FILE] [--check | --check-config | --print-policy]

As a daemon it makes its key in a TPM or another PKCS#11 token, has AWS provision
the gateway by its certificate, keeps one MQTT session, and gives local programs
what its access rules name: temporary AWS credentials and topics, on
/run/gatepost/gatepost.sock. As a rule systemd starts it: gatepost.service.

  --config FILE    read FILE, and conf.d/*.toml beside it
                   (default: /etc/gatepost/gatepost.toml)
  --check          look at everything that must be right, from the configuration
                   to a signed call, and end; `gatepost check` is this
  --as USER        with --check: only say what this user may have
  --json           with --check: as a document
  --check-config   say what is wrong with the configuration and end:
                   exit code 0 if nothing is, 78 otherwise
  --print-policy   print the AWS IoT policy that the configuration needs
  --account ID     the AWS account in that policy (default: any)
  --allow          add an access rule; `gatepost allow` is this, and its help
                   lists the options
  --install-certificate FILE
                   put the certificate in FILE (- for stdin) into its place, if it can
                   be used; `gatepost certificate install` is this
  --stdin          with --install-certificate: the content of FILE is on stdin
  --support        collect what somebody needs who is asked for help, without
                   secrets; `gatepost support` is this
  --prepare-token list|make|prove
                   what gatepost-tpm-setup does with a token: print the labels, make
                   one, or try its PIN once; the PIN is read from standard input
  --module FILE    with --prepare-token: the PKCS#11 module
  --token LABEL    with --prepare-token: the token
  --help, --version

Environment: GATEPOST_LOG=error|warn|info|debug|trace (default: info);
STATE_DIRECTORY, RUNTIME_DIRECTORY and CREDENTIALS_DIRECTORY as systemd sets them.
`gatepost status` shows a running gatepostd from the inside.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// Run with this configuration.
    Run(PathBuf),
    /// Only check this configuration.
    CheckConfig(PathBuf),
    /// Only check everything that must be right.
    Check {
        /// By this configuration.
        path: PathBuf,
        /// Only what this user may have.
        user: Option<String>,
        /// As a document.
        json: bool,
    },
    /// Only print the AWS IoT policy that this configuration needs, for this account if it is known.
    PrintPolicy(PathBuf, Option<String>),
    /// Only add this access rule.
    Allow(AllowRequest),
    /// Only put this certificate into its place.
    InstallCertificate(InstallRequest),
    /// Only collect what somebody needs who is asked for help.
    Support(Option<PathBuf>),
    /// Only do this with a token, for gatepost-tpm-setup.
    PrepareToken {
        /// What is done.
        preparation: Preparation,
        /// By this module.
        module: PathBuf,
        /// With the token of this label.
        label: String,
    },
    /// Only print this.
    Print(String),
}

/// Reads the command line; its first word is the program.
///
/// # Errors
/// On a word that is not understood.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Wish, Fatal> {
    parse_words(words).map_err(|error| {
        let problem = Problem::configuration(format!("command line: {}", clean(error)))
            .next("gatepostd --help shows what it understands");
        Fatal::new(Exit::Usage, problem)
    })
}

fn parse_words(words: impl IntoIterator<Item = OsString>) -> Result<Wish, lexopt::Error> {
    let mut parser = lexopt::Parser::from_iter(words);
    let mut config = None;
    let (mut account, mut as_user) = (None, None);
    let (mut wishes, mut json) = (Vec::new(), false);
    let (mut preparation, mut module, mut label) = (None, None, None);
    while let Some(word) = parser.next()? {
        match word {
            Long("config") => config = Some(PathBuf::from(parser.value()?)),
            Long("install-certificate") if wishes.is_empty() => {
                return operator::install_certificate(parser, config).map(Wish::InstallCertificate);
            }
            Long("support") if wishes.is_empty() => return operator::support(parser, config).map(Wish::Support),
            Long("allow") if wishes.is_empty() => return operator::allow(parser, config).map(Wish::Allow),
            Long(wish @ ("check" | "check-config" | "print-policy")) => wishes.push(wish.to_owned()),
            Long("prepare-token") => {
                preparation = Some(parser.value()?.parse_with(Preparation::parse)?);
                wishes.push("prepare-token".to_owned());
            }
            Long("module") => module = Some(PathBuf::from(parser.value()?)),
            Long("token") => label = Some(parser.value()?.string()?),
            Long("as") => as_user = Some(parser.value()?.string()?),
            Long("json") => json = true,
            Long("account") => account = Some(parser.value()?.parse_with(account_id)?),
            Long("help") | Short('h') => return Ok(Wish::Print(HELP.into())),
            Long("version") | Short('V') => {
                return Ok(Wish::Print(format!("gatepostd {VERSION_AND_COMMIT}\n")));
            }
            other => return Err(other.unexpected()),
        }
    }
    let path = config.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    let wish = match wishes.as_slice() {
        [] => None,
        [wish] => Some(wish.as_str()),
        _ => return Err("--check, --check-config, --print-policy and --prepare-token exclude each other".into()),
    };
    if account.is_some() && wish != Some("print-policy") {
        return Err("--account belongs to --print-policy".into());
    }
    if (json || as_user.is_some()) && wish != Some("check") {
        return Err("--json and --as belong to --check".into());
    }
    if (module.is_some() || label.is_some()) && wish != Some("prepare-token") {
        return Err("--module and --token belong to --prepare-token".into());
    }
    if let Some(preparation) = preparation {
        let Some(module) = module else {
            return Err("--prepare-token needs --module".into());
        };
        if label.is_none() && preparation != Preparation::List {
            return Err("--prepare-token needs --token".into());
        }
        let label = label.unwrap_or_default();
        return Ok(Wish::PrepareToken {
            preparation,
            module,
            label,
        });
    }
    Ok(match wish {
        Some("check") => Wish::Check {
            path,
            user: as_user,
            json,
        },
        Some("check-config") => Wish::CheckConfig(path),
        Some(_) => Wish::PrintPolicy(path, account),
        None => Wish::Run(path),
    })
}

fn account_id(text: &str) -> Result<String, String> {
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.to_owned())
        .ok_or_else(|| "an AWS account has twelve digits".to_owned())
}

/// Prints on stdout; a reader that has left early is no fault.
///
/// # Errors
/// Never; the type fits the other wishes'.
pub fn print(text: &str) -> Result<(), Fatal> {
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests;
