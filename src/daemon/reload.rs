//! Reads the configuration again, at SIGHUP, and looks at the files whenever they change.
//!
//! Parse, check, then swap: a bad file changes nothing. Files and names are looked up in a thread of their own, because callers
//! do not wait for the disk or for a directory service.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::start::{self, Fallback};
use super::warn_of_subordinate_ids;
use crate::clock::rfc3339;
use crate::config::{self, Changes, Config, ConfigError, Mqtt, last_good};
use crate::credentials::{AliasChanges, CredentialCacheEditor};
use crate::event::{Event, journal};
use crate::identity::Files;
use crate::local::{AccessRules, ApiContext};
use crate::problem::{Exit, Fatal, Problem};
use crate::status::{ConfigurationDetails, ConfigurationPhase, Loaded, ReloadOutcome, Reporter, TokenPhase};
use crate::systemd;

/// Files that are being edited or installed are looked at once they have been left alone for so long.
const QUIET: Duration = Duration::from_secs(2);

/// Everything that a reload may change, and what is in use.
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    pub(super) running: RefCell<Config>,
    /// Why the last good configuration is in use, while it is.
    pub(super) fallback: RefCell<Option<Fallback>>,
    pub(super) shared: Rc<ApiContext>,
    pub(super) cache: CredentialCacheEditor,
    pub(super) alias_changes: mpsc::UnboundedSender<AliasChanges>,
    pub(super) settings: watch::Sender<Mqtt>,
    pub(super) reporter: Reporter<ConfigurationPhase, ConfigurationDetails>,
    /// One at a time: a reload that has read older files must not end last, and give back what newer ones have taken away.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Reloader {
    /// Says what is in use at the start.
    pub(super) fn report_start(&self) {
        let fallback = self.fallback.borrow().clone();
        let Some(fallback) = fallback else { return };
        let problem = fallback.problem(&fallback.why);
        self.reporter
            .report_with(ConfigurationPhase::LastGood, Some(problem), |details| {
                details.last_good_of = Some(fallback.saved.clone());
            });
    }

    /// Loads the files, if they are right, and tells the service manager.
    pub(super) async fn reload(&self) -> ReloadOutcome {
        let _turn = self.turn.lock().await;
        systemd::reloading();
        let outcome = match self.read().await {
            Ok((config, access)) => ReloadOutcome::Loaded(self.load(config, access).await),
            Err(error) => {
                journal!(Level::Error, Event::ReloadRefused; "configuration: nothing was changed, because the files are wrong:\n{error}");
                self.report_wrong(&error);
                ReloadOutcome::Refused(error.to_string())
            }
        };
        systemd::reloaded(&self.shared);
        outcome
    }

    /// Looks at the files whenever they change, for as long as the daemon runs.
    pub(super) async fn watch(&self) {
        let mut files = match Files::watch_configuration(&self.path) {
            Ok(files) => files,
            Err(error) => return log::debug!("configuration: changes of the files are not noticed: {error}"),
        };
        loop {
            files.changed().await;
            while timeout(QUIET, files.changed()).await.is_ok() {}
            self.look().await;
        }
    }

    /// Keeps the configuration that is in use once the token is open: it is good then.
    pub(super) async fn keep_when_good(&self) {
        let mut token = self.shared.board.token.clone();
        if token.wait_for(|token| token.phase == TokenPhase::Ready).await.is_ok() {
            let _turn = self.turn.lock().await;
            self.keep().await;
        }
    }

    /// Whether the next start has another configuration to go on with, after `fatal`.
    pub(super) async fn gives_way(&self, fatal: &Fatal) -> bool {
        if fatal.exit != Exit::Configuration || self.fallback.borrow().is_some() {
            return false;
        }
        let (path, config) = (self.path.clone(), self.running.borrow().clone());
        let problem = fatal.problem.clone();
        let fatal = Fatal::new(fatal.exit, problem);
        spawn_blocking(move || start::give_way(&path, &config, &fatal))
            .await
            .unwrap_or(false)
    }

    /// Says whether the files are right, and whether what they say is in use.
    async fn look(&self) {
        let _turn = self.turn.lock().await;
        match self.read().await {
            // What the administrator wants is clear again, and a start would use it.
            Ok((config, access)) if self.fallback.borrow().is_some() => match last_good::load_refusal(&config) {
                None => drop(self.load(config, access).await),
                Some(why) => self.report_wrong(&ConfigError::of(why)),
            },
            Ok((config, _)) => {
                // Out of the watch first: it is locked for as long as it is borrowed.
                let loaded = self.reporter.watch().borrow().details.loaded.clone();
                self.report_difference(&config, loaded);
            }
            Err(error) => self.report_wrong(&error),
        }
    }

    async fn read(&self) -> Result<(Config, AccessRules), ConfigError> {
        let (path, folders) = (self.path.clone(), self.running.borrow().folders.clone());
        let reading = spawn_blocking(move || {
            let config = config::load(&path, &folders)?;
            warn_of_subordinate_ids(&config);
            let access = AccessRules::new(&config.access);
            Ok((config, access))
        });
        reading
            .await
            .unwrap_or_else(|error| Err(ConfigError::of(format!("the files were not read: {error}"))))
    }

    /// Puts into effect what can be, and says what waits for a restart.
    async fn load(&self, config: Config, access: AccessRules) -> Loaded {
        let changes = Changes::between(&self.running.borrow(), &config);
        let effective = self.running.borrow().reloaded(config.clone());
        let shared = &self.shared;
        let had_units = shared.access.replace(access).has_units();
        // The unit of a caller is looked up when it connects, and only where a rule is about one.
        if !had_units && shared.access.borrow().has_units() {
            shared.connections.renew();
        }
        let accounts = shared.access.borrow().accounts().clone();
        shared.inbox.set_user_accounts(accounts).await;
        let names = effective.role_aliases.iter().map(|alias| alias.name.as_str());
        let aliases = self.cache.set(names, effective.default_alias());
        // Nobody hears it where the daemon ends.
        let _ = self.alias_changes.send(aliases);
        shared.presence_topic.replace(effective.mqtt.presence_topic.clone());
        shared.outbox.set_bounds(effective.mqtt.bounds.clone());
        self.settings.send_if_modified(|old| {
            let news = *old != effective.mqtt;
            old.clone_from(&effective.mqtt);
            news
        });
        shared.inbox.recheck_permissions();
        shared.loopback.configure(effective.loopback);
        if let Some(loopback) = shared.loopback.get() {
            loopback.lay_out_again(&shared.access).await;
        }
        self.running.replace(effective);
        self.fallback.replace(None);
        let changed = match changes.at_reload.as_slice() {
            [] => "no other key has changed".to_owned(),
            names => format!("changed: {}", names.join(", ")),
        };
        journal!(Level::Info, Event::Reload; "configuration: read again, with the accounts of the access rules; {changed}");
        if !changes.at_restart.is_empty() {
            journal!(
                Level::Warn, Event::ReloadIncomplete;
                "configuration: changed, takes effect at a restart: {}; next: systemctl restart gatepost",
                changes.at_restart.join(", ")
            );
        }
        self.report_difference(&config, rfc3339(shared.clock.wall()));
        self.keep().await;
        Loaded {
            changed: changes.at_reload,
            takes_effect_at_restart: changes.at_restart,
        }
    }

    /// Reports in what the files differ from what is in use, which was loaded at the time that is given.
    fn report_difference(&self, files: &Config, loaded: String) {
        let running = self.running.borrow();
        let changes = Changes::between(&running, files);
        let is_new = |name: &&String| running.role_aliases.iter().all(|alias| alias.name != **name);
        let names = files.role_aliases.iter().map(|alias| &alias.name);
        let new_role_aliases: Vec<String> = names.filter(is_new).cloned().collect();
        let (phase, problem) = judge(&changes);
        self.reporter.report_with(phase, problem, |details| {
            details.loaded = loaded;
            details.last_good_of = None;
            details.differs = changes.all();
            details.takes_effect_at_restart = changes.at_restart;
            details.new_role_aliases = new_role_aliases;
        });
    }

    fn report_wrong(&self, error: &ConfigError) {
        let fallback = self.fallback.borrow().clone();
        let (phase, problem) = match fallback {
            Some(fallback) => (ConfigurationPhase::LastGood, fallback.problem(&error.to_string())),
            None => (ConfigurationPhase::Wrong, wrong(error)),
        };
        self.reporter.report(phase, Some(problem));
    }

    /// Keeps what is in use for a start that finds the files wrong. What came from there is there already.
    async fn keep(&self) {
        let is_good = self.shared.board.token.borrow().phase == TokenPhase::Ready;
        if !is_good || self.fallback.borrow().is_some() {
            return;
        }
        let (config, now) = (self.running.borrow().clone(), self.shared.clock.wall());
        let kept = spawn_blocking(move || last_good::save(&config, now)).await;
        if let Err(error) = kept.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            journal!(
                Level::Warn, Event::ConfigurationNotKept;
                "configuration: it is not kept for a start that finds the files wrong: {error}; next: see that the state folder can be written"
            );
        }
    }
}

/// Returns the phase and the problem for the differences between the files and the configuration in use.
fn judge(changes: &Changes) -> (ConfigurationPhase, Option<Problem>) {
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
        "the configuration files differ from what is in use: {}",
        changes.all().join(", ")
    );
    let step = match changes.at_restart.is_empty() {
        true => "systemctl reload gatepost",
        false => "systemctl restart gatepost, because a reload does not take all of it",
    };
    (
        ConfigurationPhase::Differs,
        Some(Problem::configuration(message).next(step)),
    )
}

fn wrong(error: &ConfigError) -> Problem {
    let message = format!(
        "the configuration files are wrong, and what they said before is in use: {}",
        error.brief()
    );
    Problem::configuration(message).next("correct them; `gatepostd --check-config` says what is still wrong")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_named_with_the_command_for_it() {
        let changes = |at_reload: &[&'static str], at_restart: &[&'static str]| Changes {
            at_reload: at_reload.to_vec(),
            at_restart: at_restart.to_vec(),
        };
        for (changes, phase, said) in [
            (changes(&[], &[]), ConfigurationPhase::Loaded, ""),
            (
                changes(&[], &["aws.credentials-endpoint"]),
                ConfigurationPhase::RestartNeeded,
                "the configuration was changed, takes effect at a restart: aws.credentials-endpoint; next: systemctl restart gatepost",
            ),
            (
                changes(&["access", "role-alias"], &[]),
                ConfigurationPhase::Differs,
                "the configuration files differ from what is in use: access, role-alias; next: systemctl reload gatepost",
            ),
            (
                changes(&["access"], &["token.key"]),
                ConfigurationPhase::Differs,
                "the configuration files differ from what is in use: access, token.key; next: systemctl restart gatepost, because a reload does not take all of it",
            ),
        ] {
            let (found, problem) = judge(&changes);
            assert_eq!(found, phase);
            assert_eq!(problem.map(|problem| problem.to_string()).unwrap_or_default(), said);
        }
    }
}
