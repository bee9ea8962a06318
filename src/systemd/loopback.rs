//! The loopback listener and its tokens in the service manager's store: the port is never free for another user while
//! gatepostd restarts, and a program's token goes on opening what it opened.

use std::io;
use std::rc::Rc;

use log::Level;

use super::fd_store::{keep, remove};
use crate::event::{Event, journal};
use crate::local::{ApiContext, Loopback};

/// The listening socket.
const LISTENER: &str = "loopback";
/// Two names in turn: the new file is stored before the old one is removed.
pub(super) const TOKENS: [&str; 2] = ["loopback-tokens", "loopback-tokens-2"];

/// Leaves the socket and the tokens of the listener that is configured with the service manager, whenever they change, for as
/// long as the daemon runs.
pub async fn keep_loopback(shared: Rc<ApiContext>) {
    if !super::is_present() {
        return;
    }
    let mut configured = shared.loopback.watch();
    loop {
        let loopback = configured.borrow_and_update().clone();
        let keeping = async {
            match &loopback {
                Some(loopback) => keep_one(loopback).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = keeping => {}
            changed = configured.changed() => if changed.is_err() { return },
        }
        if loopback.is_some() {
            // Its port is to be free again.
            [LISTENER].into_iter().chain(TOKENS).for_each(remove);
        }
    }
}

async fn keep_one(loopback: &Loopback) {
    let mut changes = loopback.changes();
    changes.mark_changed();
    let mut listener_is_kept = false;
    while changes.changed().await.is_ok() {
        let count = *changes.borrow_and_update();
        if !loopback.is_bound() {
            continue;
        }
        let kept = match listener_is_kept {
            true => Ok(()),
            false => keep_listener(loopback).inspect(|()| listener_is_kept = true),
        };
        if let Err(error) = kept.and_then(|()| keep_tokens(loopback, count)) {
            journal!(
                Level::Warn, Event::LoopbackNotKept;
                "systemd: the loopback listener and its tokens are not kept for the next run: {error}"
            );
        }
    }
}

fn keep_listener(loopback: &Loopback) -> io::Result<()> {
    match loopback.listener_to_keep()? {
        Some(listener) => keep(LISTENER, &listener),
        None => Ok(()),
    }
}

fn keep_tokens(loopback: &Loopback, count: u64) -> io::Result<()> {
    let [even, odd] = TOKENS;
    let (new, old) = if count.is_multiple_of(2) {
        (even, odd)
    } else {
        (odd, even)
    };
    // A run that ended in the middle of this may have left one of the same name.
    remove(new);
    keep(new, &loopback.tokens_to_keep()?)?;
    remove(old);
    Ok(())
}
