//! The main loop: signals, reload requests, and problems that end the daemon.

use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::outlive;
use super::reload::Reloader;
use super::signals::Signals;
use crate::problem::{Exit, Fatal};
use crate::status::{ReloadOutcome, TokenPhase};

/// Runs until a stop signal or a fatal problem. SIGHUP and requests of local programs reload the configuration. A fatal problem is
/// deferred while there are credentials that programs can use.
pub(super) async fn run(
    reloader: Rc<Reloader>,
    mut signals: Signals,
    mut fatals: mpsc::Receiver<Fatal>,
    mut reload_requests: mpsc::Receiver<oneshot::Sender<ReloadOutcome>>,
) -> Result<(), Fatal> {
    let context = reloader.context.clone();
    let mut deferred = None;
    // Dropping the set ends its tasks, and releases what they hold of the context.
    let mut tasks = JoinSet::new();
    let (watching, saving) = (reloader.clone(), reloader.clone());
    tasks.spawn_local(async move { watching.watch().await });
    tasks.spawn_local(async move { saving.save_once_good().await });
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.hangup.recv() => {
                let reloader = reloader.clone();
                tasks.spawn_local(async move { drop(reloader.reload().await) });
            }
            Some(reply) = reload_requests.recv() => {
                let reloader = reloader.clone();
                // The requester may have disconnected.
                tasks.spawn_local(async move { drop(reply.send(reloader.reload().await)) });
            }
            Some(fatal) = fatals.recv() => match outlive::longest_remaining(&context) {
                _ if reloader.can_fall_back(&fatal).await => return Err(Fatal::new(Exit::LastGood, fatal.problem)),
                None => return Err(fatal),
                Some(_) => {
                    outlive::announce(&fatal);
                    deferred = Some(fatal);
                }
            },
            () = outlive::all_expired(&context), if deferred.is_some() => {
                // An operator may have had the token tried again, successfully.
                let has_failed = context.board.token.borrow().phase == TokenPhase::Failed;
                if let Some(fatal) = deferred.take().filter(|_| has_failed) {
                    return Err(fatal);
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}
