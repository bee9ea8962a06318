//! The refresh tasks of all configured role aliases, which may change while the daemon runs.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::refresher::{Refresher, Source, Triggers};
use crate::credentials::{AliasChanges, AliasReporter};

/// The refresh tasks.
#[derive(Debug)]
pub struct Refreshers<S: Source> {
    source: S,
    triggers: Triggers<S::Identity>,
    running: HashMap<String, AbortHandle>,
    tasks: JoinSet<()>,
}

impl<S: Source + Clone + Send + Sync + 'static> Refreshers<S>
where
    S::Identity: 'static,
{
    /// Creates no tasks yet. Each will request credentials from `source`, as `triggers` demand.
    pub fn new(source: S, triggers: Triggers<S::Identity>) -> Self {
        Self {
            source,
            triggers,
            running: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Starts and ends tasks as the configuration changes, for as long as the daemon runs.
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
            // Tasks that have ended are removed from the set.
            while self.tasks.try_join_next().is_some() {}
        }
        // The configuration does not change any more, but the tasks continue.
        while self.tasks.join_next().await.is_some() {}
    }

    fn start(&mut self, reporter: AliasReporter) {
        let alias = reporter.name().to_owned();
        let refresher = Refresher::new(
            self.source.clone(),
            self.triggers.clone(),
            reporter,
            fastrand::Rng::new(),
        );
        let task = self.tasks.spawn(refresher.run());
        self.running.insert(alias, task);
    }
}
