//! The loopback listener and its tokens in the service manager's store. So no other user can take the port while gatepostd restarts,
//! and the tokens of programs remain valid.

use std::io;
use std::rc::Rc;

use log::Level;

use super::fd_store::{TOKENS, remove, store};
use super::notification::is_present;
use crate::event::{Event, journal};
use crate::local::{ApiContext, Loopback};

/// Name of the listening socket in the store.
const LISTENER: &str = "loopback";

/// Stores the socket and the tokens of the configured listener whenever they change. Runs for as long as the daemon.
pub async fn keep_loopback(context: Rc<ApiContext>) {
    if !is_present() {
        return;
    }
    let mut configured = context.loopback.watch();
    loop {
        let loopback = configured.borrow_and_update().clone();
        let storing = async {
            match &loopback {
                Some(loopback) => store_changes(loopback).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = storing => {}
            changed = configured.changed() => if changed.is_err() { return },
        }
        if loopback.is_some() {
            // Frees the port of the listener that is no longer configured.
            [LISTENER].into_iter().chain(TOKENS).for_each(remove);
        }
    }
}

async fn store_changes(loopback: &Loopback) {
    let mut changes = loopback.changes();
    changes.mark_changed();
    let mut is_listener_stored = false;
    while changes.changed().await.is_ok() {
        let count = *changes.borrow_and_update();
        if !loopback.is_bound() {
            continue;
        }
        let stored = match is_listener_stored {
            true => Ok(()),
            false => store_listener(loopback).inspect(|()| is_listener_stored = true),
        };
        if let Err(error) = stored.and_then(|()| store_tokens(loopback, count)) {
            journal!(
                Level::Warn, Event::LoopbackNotKept;
                "systemd: the loopback listener and its tokens are not kept for the next run: {error}"
            );
        }
    }
}

fn store_listener(loopback: &Loopback) -> io::Result<()> {
    match loopback.listener_to_keep()? {
        Some(listener) => store(LISTENER, &listener),
        None => Ok(()),
    }
}

fn store_tokens(loopback: &Loopback, count: u64) -> io::Result<()> {
    let [even, odd] = TOKENS;
    let (new, old) = if count.is_multiple_of(2) {
        (even, odd)
    } else {
        (odd, even)
    };
    // A run that ended in the middle of this may have left a file of this name.
    remove(new);
    store(new, &loopback.tokens_to_keep()?)?;
    remove(old);
    Ok(())
}
