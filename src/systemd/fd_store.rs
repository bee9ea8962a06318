//! The service manager's store: what a run of the daemon leaves there survives its end, be it a restart, an upgrade or a
//! crash, and is passed to the next run (systemd.service(5), FileDescriptorStoreMax=).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;

use log::Level;
use sd_notify::NotifyState;
use tokio::sync::{Notify, watch};
use tokio::task::spawn_local;

use super::notify;
use crate::clock::{Clock, SharedClock, rfc3339};
use crate::config::Config;
use crate::credentials::sealed_snapshot::{self, Entry, Purpose};
use crate::credentials::{AliasPart, AliasPhase, AliasReporter, CredentialCache};
use crate::event::{Event, journal};
use crate::identity;

/// Two names in turn: the new file is stored before the old one is removed, so that there is no moment without one.
const NAMES: [&str; 2] = ["credentials", "credentials-2"];

/// What is left there for the next run.
#[derive(Debug)]
pub struct FdStore {
    /// The one to use next, and the one before it.
    names: [&'static str; 2],
}

/// Whether credentials are kept under this name.
pub(super) fn has_credentials(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Whether the loopback listener's tokens are kept under this name.
pub(super) fn has_tokens(name: &str) -> bool {
    super::loopback::TOKENS.contains(&name)
}

/// Has the manager forget everything of this name.
pub(super) fn remove(name: &str) {
    notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
}

/// Has the manager keep a descriptor under this name.
pub(super) fn keep(name: &str, descriptor: &OwnedFd) -> io::Result<()> {
    // Neither a file nor a listening socket has events that systemd should wait for (sd_notify(3), FDPOLL=0).
    let store = [
        NotifyState::FdStore,
        NotifyState::FdName(name),
        NotifyState::Custom("FDPOLL=0"),
    ];
    sd_notify::notify_with_fds(&store, &[descriptor.as_fd()])
}

impl FdStore {
    /// Puts what the run before has left onto the shelf: it is handed out at once, before token and cloud are up. Whatever
    /// is not fit for that is said and forgotten; it costs nothing but the wait for new credentials.
    pub fn take_over(
        stored: Vec<(String, OwnedFd)>,
        config: &Config,
        reporters: &[AliasReporter],
        clock: &dyn Clock,
    ) -> Self {
        let purpose = Purpose {
            endpoint: config.aws.credentials_endpoint.to_string(),
            role_aliases: config.role_aliases.iter().map(|alias| alias.name.as_str()).collect(),
            thing_name: identity::find_thing_name(&config.identity),
        };
        let mut store = Self { names: NAMES };
        for (name, file) in stored {
            match sealed_snapshot::unseal(&file, &purpose, clock) {
                Ok(entries) => {
                    store.names.sort_by_key(|ours| *ours == name);
                    for entry in entries {
                        match entry {
                            Ok(entry) => put(entry, reporters, clock),
                            Err(why) => {
                                journal!(Level::Warn, Event::CredentialsNotTakenOver; "systemd: credentials of the run before are not taken over: {why}");
                            }
                        }
                    }
                }
                Err(why) => {
                    journal!(Level::Warn, Event::DescriptorRefused; "systemd: the stored descriptor {name:?} is not taken over: {why}");
                    remove(&name);
                }
            }
        }
        store
    }

    /// Leaves every fresh set with the service manager, for as long as the daemon runs.
    pub async fn keep(mut self, mut cache: CredentialCache, endpoint: String, clock: SharedClock) {
        if !super::is_present() {
            return;
        }
        let fresh = Rc::new(Notify::new());
        let mut known = Vec::new();
        loop {
            let places = cache.places();
            let is_new = |place: &&watch::Receiver<AliasPart>| !known.iter().any(|one| place.same_channel(one));
            for place in places.iter().filter(is_new) {
                spawn_local(tell_of_fresh(place.clone(), fresh.clone()));
            }
            known = places;
            tokio::select! {
                () = fresh.notified() => {}
                // What was removed is not kept any longer.
                () = cache.changed() => {}
            }
            let parts = cache.parts(&*clock).into_iter();
            let entries: Vec<_> = parts.filter_map(|part| entry(part, &*clock)).collect();
            let sealed = sealed_snapshot::seal(&entries, &endpoint, &*clock);
            if let Err(error) = sealed.and_then(|file| self.replace(&file)) {
                journal!(Level::Warn, Event::CredentialsNotKept; "systemd: credentials are not kept for the next run: {error}");
            }
        }
    }

    fn replace(&mut self, file: &OwnedFd) -> io::Result<()> {
        let [new, old] = self.names;
        keep(new, file)?;
        remove(old);
        self.names = [old, new];
        Ok(())
    }
}

fn put(entry: Entry, reporters: &[AliasReporter], clock: &dyn Clock) {
    let place = |reporter: &&AliasReporter| reporter.watch().borrow().details.name == entry.role_alias;
    let Some(reporter) = reporters.iter().find(place) else {
        return;
    };
    let left = entry.credentials.remaining(clock);
    // A run that ended between storing and removing has left two files; the better set counts.
    let better = |held: &AliasPart| held.usable(clock).is_none_or(|held| held.remaining(clock) < left);
    if !better(&reporter.watch().borrow()) {
        return;
    }
    let expiration = rfc3339(entry.credentials.expiration());
    journal!(
        Level::Info, Event::CredentialsTakenOver, ROLE_ALIAS = entry.role_alias.as_str();
        "role alias {}: credentials of the run before, until {expiration}", entry.role_alias
    );
    reporter.report_with(AliasPhase::Valid, None, |details| {
        details.expiration = Some(expiration);
        details.refreshed = entry.refreshed;
        details.credentials = Some(entry.credentials);
    });
}

fn entry(part: AliasPart, clock: &dyn Clock) -> Option<Entry> {
    Some(Entry {
        credentials: part.usable(clock)?.clone(),
        role_alias: part.details.name,
        refreshed: part.details.refreshed,
    })
}

/// Rings whenever the alias has another set than before. The first look rings as well: what was taken over is stored
/// anew, in this version's form.
async fn tell_of_fresh(mut place: watch::Receiver<AliasPart>, fresh: Rc<Notify>) {
    let mut known = None;
    loop {
        let held = place
            .borrow_and_update()
            .details
            .credentials
            .as_ref()
            .map(|set| set.expiration());
        if held.is_some() && held != known {
            known = held;
            fresh.notify_one();
        }
        if place.changed().await.is_err() {
            return;
        }
    }
}
