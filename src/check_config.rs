//! `gatepostd --check-config`: what the configuration says, or everything that is wrong with it.

use std::path::Path;

use crate::arguments::print;
use crate::config::{Config, Folders};
use crate::problem::{Exit, Fatal, Problem};
use crate::service::closed_files;

/// Checks the configuration and everything it points at that can be looked at without touching the token; says what the
/// daemon would say, and, to root, what the service's user may not read.
///
/// # Errors
/// With all findings.
pub fn run(path: &Path) -> Result<(), Fatal> {
    let config = load(path)?;
    let mut findings = Vec::new();
    if let Err(problem) = crate::identity::roots::load(config.aws.root_ca.as_deref()) {
        findings.push(problem.to_string());
    }
    findings.extend(crate::token::check(&config.token).iter().map(Problem::to_string));
    if let Some(chain) = config.identity.ca_chain.as_ref().filter(|chain| !chain.exists()) {
        findings.push(format!("identity.ca-chain: {} does not exist", chain.display()));
    }
    findings.extend(closed_files(path, &config).iter().map(Problem::to_string));
    if !findings.is_empty() {
        return Err(Fatal::new(
            Exit::Configuration,
            Problem::configuration(findings.join("\n")),
        ));
    }
    let aliases: Vec<&str> = config.role_aliases.iter().map(|alias| alias.name.as_str()).collect();
    print(&format!(
        "{}: good\n  thing name   {}\n  MQTT         {}\n  credentials  {}\n  key          {}\n  role aliases {}\n",
        path.display(),
        config.identity.subject.common_name,
        config.aws.mqtt_endpoint,
        config.aws.credentials_endpoint,
        config.token.key,
        if aliases.is_empty() {
            "none".to_owned()
        } else {
            aliases.join(", ")
        },
    ))
}

/// The configuration, or the end.
///
/// # Errors
/// With all findings, a line each.
pub fn load(path: &Path) -> Result<Config, Fatal> {
    Config::load(path, &Folders::from_environment()).map_err(|error| {
        let step = "correct it; `gatepostd --check-config` says what is still wrong";
        Fatal::new(
            Exit::Configuration,
            Problem::configuration(error.to_string()).next(step),
        )
    })
}
