//! Notices when a certificate is laid into its folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::config::IdentityConfig;
use crate::problem::{Exit, Fatal, Problem};

/// A copy is several events; the file is read once they have stopped for this long.
const SETTLE: Duration = Duration::from_millis(200);

/// Watches files by watching their folders: an editor, a copy and a rename all replace the file itself.
#[derive(Debug)]
pub struct Files {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

impl Files {
    /// Starts to watch the device certificate and the chain; their folders must exist.
    ///
    /// # Errors
    /// When a folder cannot be watched.
    pub fn watch(config: &IdentityConfig) -> Result<Self, Fatal> {
        let mut paths = vec![config.certificate.as_path()];
        paths.extend(config.ca_chain.as_deref());
        Self::watch_paths(&paths).map_err(|error| {
            let message = format!(
                "the folder of {} cannot be watched: {error}",
                config.certificate.display()
            );
            let step = "make the folders of identity.certificate and identity.ca-chain, readable for gatepost's user";
            Fatal::new(Exit::Configuration, Problem::configuration(message).next(step))
        })
    }

    fn watch_paths(paths: &[&Path]) -> notify::Result<Self> {
        let (sender, changes) = mpsc::channel(1);
        let names: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // A full channel already says that there is something to read; an error may hide a change.
            if event.map_or(true, |event| matters(&event, &names)) {
                let _ = sender.try_send(());
            }
        })?;
        let folders: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
        for folder in folders {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Self {
            _watcher: watcher,
            changes,
        })
    }

    /// Waits until a file has changed and settled. Cancel safe.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while tokio::time::timeout(SETTLE, self.changes.recv())
            .await
            .is_ok_and(|event| event.is_some())
        {}
    }
}

/// Reading a file is an event too; only what may have changed it counts.
fn matters(event: &Event, names: &[PathBuf]) -> bool {
    let changed = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    // Where the kernel's queue was too small, nobody knows what was lost.
    event.need_rescan() || changed && event.paths.iter().any(|path| names.contains(path))
}
