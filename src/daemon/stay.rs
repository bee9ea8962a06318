//! The daemon while it runs: signals, requests to read the configuration again, and problems that end it.

use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::outlive;
use super::reload::Reloader;
use super::signals::Signals;
use crate::problem::{Exit, Fatal};
use crate::status::{ReloadOutcome, TokenPhase};

/// Stays until a signal or a fatal problem, and reads the configuration again at SIGHUP. A fatal problem waits while there are
/// credentials that programs can use.
pub(super) async fn stay(
    reloader: Rc<Reloader>,
    mut signals: Signals,
    mut fatals: mpsc::Receiver<Fatal>,
    mut reloads: mpsc::Receiver<oneshot::Sender<ReloadOutcome>>,
) -> Result<(), Fatal> {
    let shared = reloader.shared.clone();
    let mut waits = None;
    // They end with this, and with them what they hold of the local wing.
    let mut tasks = JoinSet::new();
    let (watching, keeping) = (reloader.clone(), reloader.clone());
    tasks.spawn_local(async move { watching.watch().await });
    tasks.spawn_local(async move { keeping.keep_when_good().await });
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return Ok(()),
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.hangup.recv() => {
                let reloader = reloader.clone();
                tasks.spawn_local(async move { drop(reloader.reload().await) });
            }
            Some(reply) = reloads.recv() => {
                let reloader = reloader.clone();
                // Who has asked may have left.
                tasks.spawn_local(async move { drop(reply.send(reloader.reload().await)) });
            }
            Some(fatal) = fatals.recv() => match outlive::left(&shared) {
                _ if reloader.gives_way(&fatal).await => return Err(Fatal::new(Exit::LastGood, fatal.problem)),
                None => return Err(fatal),
                Some(_) => {
                    outlive::announce(&fatal);
                    waits = Some(fatal);
                }
            },
            () = outlive::nothing_left(&shared), if waits.is_some() => {
                let has_failed = shared.board.token.borrow().phase == TokenPhase::Failed;
                // Somebody may have had the token tried again.
                if let Some(fatal) = waits.take().filter(|_| has_failed) {
                    return Err(fatal);
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}
