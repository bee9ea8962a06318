//! The service manager's store of file descriptors. A descriptor in it survives a restart, an upgrade or a crash of the daemon, and
//! is passed to the next run (systemd.service(5), FileDescriptorStoreMax=).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use log::Level;
use sd_notify::NotifyState;

use super::notification::{is_present, notify};
use crate::clock::{Clock, SharedClock, rfc3339};
use crate::config::Config;
use crate::credentials::sealed_snapshot::{self, CurrentRun, Entry};
use crate::credentials::{AliasPhase, AliasReporter, CachedAlias, CredentialCache, ReceivedSet, SetChanges};
use crate::event::{Event, journal};
use crate::identity;

/// Names that are used alternately: the new file is stored before the old one is removed, so that one is always stored.
const NAMES: [&str; 2] = ["credentials", "credentials-2"];

/// Names of the loopback listener's tokens in the store, used in the same way.
pub(super) const TOKENS: [&str; 2] = ["loopback-tokens", "loopback-tokens-2"];

/// The credentials in the store.
#[derive(Debug)]
pub struct FdStore {
    /// The name to use next, and the one that is in use.
    names: [&'static str; 2],
    /// The endpoint that the credentials come from.
    endpoint: String,
}

/// Returns whether credentials are stored under this name.
pub(super) fn has_credentials(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Returns whether tokens of the loopback listener are stored under this name.
pub(super) fn has_tokens(name: &str) -> bool {
    TOKENS.contains(&name)
}

/// Removes all descriptors of this name from the store.
pub(super) fn remove(name: &str) {
    notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
}

/// Adds a descriptor to the store.
pub(super) fn store(name: &str, descriptor: &OwnedFd) -> io::Result<()> {
    // Neither a file nor a listening socket has events that systemd should wait for (sd_notify(3), FDPOLL=0).
    let states = [
        NotifyState::FdStore,
        NotifyState::FdName(name),
        NotifyState::Custom("FDPOLL=0"),
    ];
    sd_notify::notify_with_fds(&states, &[descriptor.as_fd()])
}

impl FdStore {
    /// Fills the cache with the credentials of the previous run, so that they are handed out before the token and the cloud thread
    /// are ready. Credentials that do not fit are logged and removed; new ones are requested in any case.
    pub fn take_over(
        stored: Vec<(String, OwnedFd)>,
        config: &Config,
        reporters: &[AliasReporter],
        clock: &dyn Clock,
    ) -> Self {
        let current_run = CurrentRun {
            endpoint: config.aws.credentials_endpoint.to_string(),
            role_aliases: config.role_aliases.iter().map(|alias| alias.name.as_str()).collect(),
            thing_name: identity::find_thing_name(&config.identity),
        };
        let mut store = Self {
            names: NAMES,
            endpoint: current_run.endpoint.clone(),
        };
        for (name, file) in stored {
            match sealed_snapshot::unseal(&file, &current_run, clock) {
                Ok(entries) => {
                    store.names.sort_by_key(|ours| *ours == name);
                    for entry in entries {
                        match entry {
                            Ok(entry) => take_over(entry, reporters, clock),
                            Err(why) => {
                                journal!(Level::Warn, Event::CredentialsNotTakenOver; "systemd: credentials of the previous run are not used: {why}");
                            }
                        }
                    }
                }
                Err(why) => {
                    journal!(Level::Warn, Event::DescriptorRefused; "systemd: the stored descriptor {name:?} is not used: {why}");
                    remove(&name);
                }
            }
        }
        store
    }

    /// Stores the credentials whenever they are refreshed. Runs for as long as the daemon.
    pub async fn keep(mut self, cache: CredentialCache, clock: SharedClock) {
        if !is_present() {
            return;
        }
        let mut changes = SetChanges::new(cache.clone());
        loop {
            // The credentials of a role alias that was removed are not kept any longer. Sets that were taken over are stored again, in the
            // format of this version.
            changes.changed().await;
            let aliases = cache.aliases(&*clock).into_iter();
            let entries: Vec<_> = aliases.filter_map(|alias| entry(alias, &*clock)).collect();
            let sealed = sealed_snapshot::seal(&entries, &self.endpoint, &*clock);
            if let Err(error) = sealed.and_then(|file| self.replace(&file)) {
                journal!(Level::Warn, Event::CredentialsNotKept; "systemd: credentials are not kept for the next run: {error}");
            }
        }
    }

    fn replace(&mut self, file: &OwnedFd) -> io::Result<()> {
        let [new, old] = self.names;
        store(new, file)?;
        remove(old);
        self.names = [old, new];
        Ok(())
    }
}

/// Puts the credentials of the previous run into the cache.
fn take_over(entry: Entry, reporters: &[AliasReporter], clock: &dyn Clock) {
    let Some(reporter) = reporters.iter().find(|reporter| reporter.name() == entry.role_alias) else {
        return;
    };
    // A run that ended between storing and removing has left two files; the longer-lived set is used.
    let remaining = entry.credentials.remaining(clock);
    let known = reporter.credentials().filter(|known| known.usable(clock));
    if known.is_some_and(|known| known.remaining(clock) >= remaining) {
        return;
    }
    let expiration = rfc3339(entry.credentials.expiration());
    journal!(
        Level::Info, Event::CredentialsTakenOver, ROLE_ALIAS = entry.role_alias.as_str();
        "role alias {}: credentials of the previous run, until {expiration}", entry.role_alias
    );
    reporter.store(ReceivedSet {
        credentials: entry.credentials,
        refreshed: entry.refreshed.clone(),
    });
    reporter.status().report_with(AliasPhase::Valid, None, |details| {
        details.expiration = Some(expiration);
        details.refreshed = entry.refreshed;
    });
}

fn entry(alias: CachedAlias, clock: &dyn Clock) -> Option<Entry> {
    let set = alias.set.filter(|set| set.credentials.usable(clock))?;
    Some(Entry {
        credentials: set.credentials,
        role_alias: alias.status.details.name,
        refreshed: set.refreshed,
    })
}
