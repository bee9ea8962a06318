//! Checks of the token's configuration that do not touch a token.

use super::config::TokenConfig;
use super::module;
use super::pin::PinSource;
use super::tpm;
use crate::problem::Problem;

/// Finds faults of the module and the PIN file, as far as that is possible without touching a token.
pub fn check(config: &TokenConfig) -> Vec<Problem> {
    let module = module::load_uninitialised(&config.module).map(drop);
    // Without a file the PIN comes from systemd, which passes it only to the daemon.
    let pin = match &config.pin_file {
        Some(path) => PinSource::new(Some(path), None).read().map(drop),
        None => Ok(()),
    };
    [module, pin]
        .into_iter()
        .filter_map(|outcome| outcome.err().map(|error| error.problem().clone()))
        .collect()
}

/// Returns the setup step that the token still needs, as far as it can be determined without accessing the token.
pub fn missing_setup(config: &TokenConfig) -> Option<Problem> {
    tpm::find_missing_setup(&config.module)
}
