//! Problems that the reloader reports about the configuration files.

use crate::config::{Changes, ConfigError};
use crate::problem::Problem;
use crate::status::ConfigurationPhase;

/// Returns the phase and the problem for the differences between the files and the configuration in use.
pub(super) fn difference_problem(changes: &Changes) -> (ConfigurationPhase, Option<Problem>) {
    if changes.is_empty() {
        return (ConfigurationPhase::Loaded, None);
    }
    if changes.at_reload.is_empty() {
        let message = format!(
            "the configuration was changed, takes effect at a restart: {}",
            changes.at_restart.join(", ")
        );
        let problem = Problem::configuration(message).next("systemctl restart gatepost");
        return (ConfigurationPhase::RestartNeeded, Some(problem));
    }
    let message = format!(
        "the configuration files differ from the configuration in use: {}",
        changes.all().join(", ")
    );
    let next_step = match changes.at_restart.is_empty() {
        true => "systemctl reload gatepost",
        false => "systemctl restart gatepost, because a reload does not apply all of it",
    };
    (
        ConfigurationPhase::Differs,
        Some(Problem::configuration(message).next(next_step)),
    )
}

/// Returns the problem for files that are invalid while the previous configuration is in use.
pub(super) fn fault_problem(error: &ConfigError) -> Problem {
    let message = format!(
        "the configuration files are wrong, and the configuration that was loaded before is in use: {}",
        error.brief()
    );
    Problem::configuration(message).next("correct them; `gatepostd --check-config` says what is still wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_keys_are_named_with_the_command_that_loads_them() {
        let changes = |at_reload: &[&'static str], at_restart: &[&'static str]| Changes {
            at_reload: at_reload.to_vec(),
            at_restart: at_restart.to_vec(),
        };
        for (changes, phase, words) in [
            (changes(&[], &[]), ConfigurationPhase::Loaded, ""),
            (
                changes(&[], &["aws.credentials-endpoint"]),
                ConfigurationPhase::RestartNeeded,
                "the configuration was changed, takes effect at a restart: aws.credentials-endpoint; next: systemctl restart gatepost",
            ),
            (
                changes(&["access", "role-alias"], &[]),
                ConfigurationPhase::Differs,
                "the configuration files differ from the configuration in use: access, role-alias; next: systemctl reload gatepost",
            ),
            (
                changes(&["access"], &["token.key"]),
                ConfigurationPhase::Differs,
                "the configuration files differ from the configuration in use: access, token.key; next: systemctl restart gatepost, because a reload does not apply all of it",
            ),
        ] {
            let (found, problem) = difference_problem(&changes);
            assert_eq!(found, phase);
            assert_eq!(problem.map(|problem| problem.to_string()).unwrap_or_default(), words);
        }
    }
}
