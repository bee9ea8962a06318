//! gatepostd's command line.

mod given;
mod operator;

use std::ffi::OsString;
use std::path::PathBuf;

use gatepost_client::command_line::{GATEPOSTD, help};
use given::Given;

use crate::allow::AllowRequest;
use crate::build_info::VERSION_AND_COMMIT;
use crate::config::DEFAULT_PATH;
use crate::foreign_text::clean;
use crate::install_certificate::InstallRequest;
use crate::prepare_token::Preparation;
use crate::problem::{Exit, Fatal, Problem};

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Runs the daemon with this configuration.
    Run(PathBuf),
    /// Checks this configuration.
    CheckConfig(PathBuf),
    /// Checks everything that gatepost needs.
    Check {
        /// Path of the configuration.
        path: PathBuf,
        /// User whose permissions are explained instead.
        user: Option<String>,
        /// Whether to print a JSON document.
        json: bool,
    },
    /// Prints the AWS IoT policy that this configuration needs, for this AWS account if it is given.
    PrintPolicy(PathBuf, Option<String>),
    /// Adds this access rule.
    Allow(AllowRequest),
    /// Installs this certificate.
    InstallCertificate(InstallRequest),
    /// Prints a support bundle for this configuration, or for the one of the service.
    Support(Option<PathBuf>),
    /// Prepares a token, for gatepost-tpm-setup.
    PrepareToken {
        /// The task.
        preparation: Preparation,
        /// Path of the PKCS#11 module.
        module: PathBuf,
        /// Label of the token.
        label: String,
    },
    /// Removes the credentials files that a run has left.
    RemoveCredentialsFiles,
    /// Prints this text.
    Print(String),
}

/// Parses a command line, whose first word is the name of the program.
///
/// # Errors
/// When it has an unknown option or a wrong value.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, Fatal> {
    parse_words(words.into_iter().skip(1)).map_err(|message| {
        let problem = Problem::configuration(format!("command line: {}", clean(message))).next("see gatepostd --help");
        Fatal::new(Exit::Usage, problem)
    })
}

fn parse_words(words: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let given = Given::parse(words)?;
    if given.has("--help") {
        return Ok(Command::Print(help::program_text(&GATEPOSTD)));
    }
    if given.has("--version") {
        return Ok(Command::Print(format!("gatepostd {VERSION_AND_COMMIT}\n")));
    }
    let mode = given.mode()?;
    let config = given.value("--config").map(PathBuf::from);
    let path = config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
    Ok(match mode {
        None => Command::Run(path),
        Some("--check") => Command::Check {
            path,
            user: given.text("--as")?,
            json: given.has("--json"),
        },
        Some("--check-config") => Command::CheckConfig(path),
        Some("--print-policy") => Command::PrintPolicy(path, given.text("--account")?.map(account_id).transpose()?),
        Some("--allow") => Command::Allow(operator::allow(&given, config)?),
        Some("--install-certificate") => Command::InstallCertificate(operator::install_certificate(&given, config)),
        Some("--support") => Command::Support(config),
        Some("--remove-credentials-files") => Command::RemoveCredentialsFiles,
        Some("--prepare-token") => prepare_token(&given)?,
        Some(other) => return Err(format!("{other} is not understood")),
    })
}

fn prepare_token(given: &Given) -> Result<Command, String> {
    let preparation = Preparation::parse(&given.text("--prepare-token")?.unwrap_or_default())?;
    let module = given.value("--module").ok_or("--prepare-token needs --module")?.into();
    let label = given.text("--token")?;
    if label.is_none() && preparation != Preparation::List {
        return Err("--prepare-token needs --token".to_owned());
    }
    Ok(Command::PrepareToken {
        preparation,
        module,
        label: label.unwrap_or_default(),
    })
}

fn account_id(text: String) -> Result<String, String> {
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then_some(text)
        .ok_or_else(|| "an AWS account has twelve digits".to_owned())
}

#[cfg(test)]
mod tests;
