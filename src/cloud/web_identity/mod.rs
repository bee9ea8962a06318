//! Web identity tokens for services outside AWS: one task for each audience that an access rule names.

pub mod answer;
mod task;

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

pub use self::task::WebTokenInputs;
use self::task::WebTokenTask;
use crate::credentials::WebTokenChanges;

/// Starts and ends the tasks as the access rules change, for as long as the daemon runs.
pub(super) async fn run(inputs: WebTokenInputs, mut changes: mpsc::UnboundedReceiver<WebTokenChanges>) {
    let mut running: HashMap<String, AbortHandle> = HashMap::new();
    let mut tasks = JoinSet::new();
    while let Some(change) = changes.recv().await {
        for audience in change.removed {
            if let Some(task) = running.remove(&audience) {
                task.abort();
            }
        }
        for reporter in change.added {
            let audience = reporter.audience().to_owned();
            let task = WebTokenTask::new(inputs.clone(), reporter, fastrand::Rng::new());
            running.insert(audience, tasks.spawn(task.run()));
        }
        // Tasks that have ended are removed from the set.
        while tasks.try_join_next().is_some() {}
    }
    // The rules do not change any more, but the tasks continue.
    while tasks.join_next().await.is_some() {}
}
