//! gatepostd: the daemon, and the commands that `gatepost` delegates to it.

use std::process::ExitCode;

use gatepost::arguments::{self, Command};
use gatepost::config::Folders;
use gatepost::{
    allow, check, check_config, daemon, hardening, install_certificate, last_end, local, logging, prepare_token,
    print_policy, stdout, support, systemd,
};

fn main() -> ExitCode {
    let command = arguments::parse(std::env::args_os());
    if matches!(command, Ok(Command::Run(_))) {
        logging::start();
        logging::end_on_panic();
    }
    // Commands need this too: a check has the PIN and credentials in its memory.
    hardening::no_core_dumps();
    let outcome = match command {
        Ok(Command::Run(path)) => {
            // Only the daemon reports its end: a failed check, as in the unit's ExecReload=, does not end a running daemon.
            let outcome = daemon::run(&path).inspect_err(systemd::failed);
            last_end::record(&Folders::from_environment(), outcome.as_ref().err());
            outcome
        }
        Ok(Command::CheckConfig(path)) => check_config::run(&path),
        Ok(Command::Check { path, user, json }) => check::run(&path, user.as_deref(), json),
        Ok(Command::InstallCertificate(request)) => install_certificate::run(&request),
        Ok(Command::Support(path)) => support::run(path.as_deref()),
        Ok(Command::Allow(request)) => allow::run(&request),
        Ok(Command::PrintPolicy(path, account)) => print_policy::run(&path, account.as_deref()),
        Ok(Command::PrepareToken {
            preparation,
            module,
            label,
        }) => prepare_token::run(preparation, &module, &label),
        Ok(Command::RemoveCredentialsFiles) => {
            local::remove_recorded_files(&Folders::from_environment().runtime);
            Ok(())
        }
        Ok(Command::Print(text)) => stdout::print(&text),
        Err(fatal) => Err(fatal),
    };
    daemon::exit_code(outcome)
}
