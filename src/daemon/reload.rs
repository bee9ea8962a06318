//! Reloads the configuration, and reports changes of its files.
//!
//! The files are parsed and checked before anything is replaced, so a bad file changes nothing. Files and account names are read in
//! a separate thread, because callers do not wait for the disk or for a directory service.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use log::Level;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::reload_problems::{difference_problem, fault_problem};
use super::start::{self, Fallback};
use crate::clock::rfc3339;
use crate::config::{self, Changes, Config, ConfigError, Mqtt, last_good};
use crate::credentials::{AliasChanges, CredentialCacheEditor, WebTokenChanges};
use crate::event::{Event, journal};
use crate::identity::Files;
use crate::local::{AccessRules, ApiContext};
use crate::problem::{Exit, Fatal};
use crate::status::{ConfigurationDetails, ConfigurationPhase, Loaded, ReloadOutcome, Reporter, TokenPhase};
use crate::{subordinate, systemd};

/// Time without a further change after which changed files are read: someone may still be editing or installing them.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// Everything that a reload may change, and the configuration in use.
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    pub(super) running: RefCell<Config>,
    /// Why the last good configuration is in use, while it is.
    pub(super) fallback: RefCell<Option<Fallback>>,
    pub(super) context: Rc<ApiContext>,
    pub(super) cache: CredentialCacheEditor,
    pub(super) alias_changes: mpsc::UnboundedSender<AliasChanges>,
    pub(super) web_token_changes: mpsc::UnboundedSender<WebTokenChanges>,
    pub(super) settings: watch::Sender<Mqtt>,
    pub(super) reporter: Reporter<ConfigurationPhase, ConfigurationDetails>,
    /// Serialises reloads: one that has read older files must not finish last, and restore what newer files have revoked.
    pub(super) lock: tokio::sync::Mutex<()>,
}

impl Reloader {
    /// Reports which configuration is in use at the start.
    pub(super) fn report_start(&self) {
        let fallback = self.fallback.borrow().clone();
        let Some(fallback) = fallback else { return };
        let problem = fallback.problem(&fallback.fault);
        self.reporter
            .report_with(ConfigurationPhase::LastGood, Some(problem), |details| {
                details.last_good_of = Some(fallback.saved.clone());
            });
    }

    /// Loads the files if they are valid, and notifies the service manager.
    pub(super) async fn reload(&self) -> ReloadOutcome {
        let _guard = self.lock.lock().await;
        systemd::reloading();
        let outcome = match self.read().await {
            Ok((config, access)) => ReloadOutcome::Loaded(self.load(config, access).await),
            Err(error) => {
                journal!(Level::Error, Event::ReloadRefused; "configuration: nothing was changed, because the files are wrong:\n{error}");
                self.report_fault(&error);
                ReloadOutcome::Refused(error.to_string())
            }
        };
        systemd::reloaded(&self.context);
        outcome
    }

    /// Examines the files whenever they change. Runs for as long as the daemon.
    pub(super) async fn watch(&self) {
        let mut files = match Files::watch_configuration(&self.path) {
            Ok(files) => files,
            Err(error) => return log::debug!("configuration: changes of the files are not noticed: {error}"),
        };
        loop {
            files.changed().await;
            while timeout(SETTLE_TIME, files.changed()).await.is_ok() {}
            self.examine().await;
        }
    }

    /// Saves the configuration in use as the last good one once the token is open.
    pub(super) async fn save_once_good(&self) {
        let mut token = self.context.board.token.clone();
        if token.wait_for(|token| token.phase == TokenPhase::Ready).await.is_ok() {
            let _guard = self.lock.lock().await;
            self.save_if_good().await;
        }
    }

    /// Returns whether the next start can use another configuration after `fatal`. If so, marks the one in use as rejected.
    pub(super) async fn can_fall_back(&self, fatal: &Fatal) -> bool {
        if fatal.exit != Exit::Configuration || self.fallback.borrow().is_some() {
            return false;
        }
        let (path, config) = (self.path.clone(), self.running.borrow().clone());
        let problem = fatal.problem.clone();
        let fatal = Fatal::new(fatal.exit, problem);
        spawn_blocking(move || start::reject(&path, &config, &fatal))
            .await
            .unwrap_or(false)
    }

    /// Reports whether the files are valid, and how they differ from the configuration in use.
    async fn examine(&self) {
        let _guard = self.lock.lock().await;
        match self.read().await {
            // The files are valid again, and a start would use them.
            Ok((config, access)) if self.fallback.borrow().is_some() => match last_good::load_refusal(&config) {
                None => drop(self.load(config, access).await),
                Some(fault) => self.report_fault(&ConfigError::of(fault)),
            },
            Ok((config, _)) => {
                // Copied in a statement of its own: the watch stays locked while it is borrowed.
                let loaded = self.reporter.watch().borrow().details.loaded.clone();
                self.report_difference(&config, loaded);
            }
            Err(error) => self.report_fault(&error),
        }
    }

    async fn read(&self) -> Result<(Config, AccessRules), ConfigError> {
        let (path, folders) = (self.path.clone(), self.running.borrow().folders.clone());
        let reading = spawn_blocking(move || {
            let config = config::load(&path, &folders)?;
            subordinate::log_problems(&config);
            let access = AccessRules::new(&config.access);
            Ok((config, access))
        });
        reading
            .await
            .unwrap_or_else(|error| Err(ConfigError::of(format!("the files were not read: {error}"))))
    }

    /// Puts the configuration into effect, as far as that is possible without a restart.
    async fn load(&self, config: Config, access: AccessRules) -> Loaded {
        let changes = Changes::between(&self.running.borrow(), &config);
        let effective = self.running.borrow().reloaded(config.clone());
        let context = &self.context;
        let had_units = context.access.replace(access).has_units();
        // The unit of a caller is looked up when it connects, and only if a rule names one.
        if !had_units && context.access.borrow().has_units() {
            context.connections.renew();
        }
        let accounts = context.access.borrow().accounts().clone();
        context.inbox.set_user_accounts(accounts).await;
        let names = effective.role_aliases.iter().map(|alias| alias.name.as_str());
        let aliases = self.cache.set(names, effective.default_alias());
        // The receiver is gone while the daemon ends.
        let _ = self.alias_changes.send(aliases);
        let audiences = self.cache.set_audiences(effective.audiences());
        let _ = self.web_token_changes.send(audiences);
        context.presence_topic.replace(effective.mqtt.presence_topic.clone());
        context.outbox.set_bounds(effective.mqtt.bounds.clone());
        self.settings.send_if_modified(|old| {
            let has_changed = *old != effective.mqtt;
            old.clone_from(&effective.mqtt);
            has_changed
        });
        context.inbox.recheck_permissions();
        context.loopback.configure(effective.loopback);
        if let Some(loopback) = context.loopback.get() {
            loopback.rewrite_files(&context.access).await;
        }
        context.credentials_files.configure(effective.credentials_files.clone());
        context.mqtt.configure(effective.local_mqtt);
        context.mqtt.read_tokens(&context.access).await;
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
        self.report_difference(&config, rfc3339(context.clock.wall()));
        self.save_if_good().await;
        Loaded {
            changed: changes.at_reload,
            takes_effect_at_restart: changes.at_restart,
        }
    }

    /// Reports the differences between the files and the configuration in use, which was loaded at the time `loaded`.
    fn report_difference(&self, files: &Config, loaded: String) {
        let running = self.running.borrow();
        let changes = Changes::between(&running, files);
        let is_new = |name: &&String| running.role_aliases.iter().all(|alias| alias.name != **name);
        let names = files.role_aliases.iter().map(|alias| &alias.name);
        let new_role_aliases: Vec<String> = names.filter(is_new).cloned().collect();
        let (phase, problem) = difference_problem(&changes);
        self.reporter.report_with(phase, problem, |details| {
            details.loaded = loaded;
            details.last_good_of = None;
            details.differs = changes.all();
            details.takes_effect_at_restart = changes.at_restart;
            details.new_role_aliases = new_role_aliases;
        });
    }

    fn report_fault(&self, error: &ConfigError) {
        let fallback = self.fallback.borrow().clone();
        let (phase, problem) = match fallback {
            Some(fallback) => (ConfigurationPhase::LastGood, fallback.problem(&error.to_string())),
            None => (ConfigurationPhase::Wrong, fault_problem(error)),
        };
        self.reporter.report(phase, Some(problem));
    }

    /// Saves the configuration in use for a start that finds the files invalid, unless it is the saved one itself.
    async fn save_if_good(&self) {
        let is_good = self.context.board.token.borrow().phase == TokenPhase::Ready;
        if !is_good || self.fallback.borrow().is_some() {
            return;
        }
        let (config, now) = (self.running.borrow().clone(), self.context.clock.wall());
        let saved = spawn_blocking(move || last_good::save(&config, now)).await;
        if let Err(error) = saved.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            journal!(
                Level::Warn, Event::ConfigurationNotKept;
                "configuration: it is not saved as the last good configuration: {error}; next: see that the state folder can be written"
            );
        }
    }
}
