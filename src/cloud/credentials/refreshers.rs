//! One keeper for each role alias that is configured, which may change while the daemon runs.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::refresher::{Refresher, Source, Triggers};
use crate::credentials::{AliasChanges, AliasReporter};

/// The keepers.
#[derive(Debug)]
pub struct Refreshers<S: Source> {
    source: S,
    cues: Triggers<S::Identity>,
    running: HashMap<String, AbortHandle>,
    tasks: JoinSet<()>,
}

impl<S: Source + Clone + Send + Sync + 'static> Refreshers<S>
where
    S::Identity: 'static,
{
    /// No keepers yet; each will ask `source` and go by `cues`.
    pub fn new(source: S, cues: Triggers<S::Identity>) -> Self {
        Self {
            source,
            cues,
            running: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Starts and ends keepers as the configuration changes, for as long as the daemon runs.
    pub async fn run(mut self, mut changes: mpsc::UnboundedReceiver<AliasChanges>) {
        while let Some(change) = changes.recv().await {
            for alias in change.removed {
                if let Some(task) = self.running.remove(&alias) {
                    task.abort();
                }
            }
            for reporter in change.added {
                self.start(reporter);
            }
            // Tasks that were ended are forgotten.
            while self.tasks.try_join_next().is_some() {}
        }
        // The configuration does not change any more; the keepers go on.
        while self.tasks.join_next().await.is_some() {}
    }

    fn start(&mut self, reporter: AliasReporter) {
        let alias = reporter.watch().borrow().details.name.clone();
        let refresher = Refresher::new(self.source.clone(), self.cues.clone(), reporter, fastrand::Rng::new());
        let task = self.tasks.spawn(refresher.run());
        self.running.insert(alias, task);
    }
}
