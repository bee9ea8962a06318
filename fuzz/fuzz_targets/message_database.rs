//! The message database with damaged pages: it is used, or moved aside and recreated. In either case the store continues, and stores what
//! it accepts afterwards.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arbitrary::Arbitrary;
use fuzz::FixedClock;
use gatepost::clock::SharedClock;
use gatepost::messages::{self, Account, Bounds, Message, Outbox, SubscriptionState};
use gatepost::status::{MessagesDetails, MessagesPhase, StatusHub};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const DATABASE: &str = "messages.db";
const RESERVE: &str = "messages.db-reserve";
/// Time limit for the store to write the rest and end.
const ENDING: Duration = Duration::from_secs(20);

#[derive(Arbitrary, Debug)]
struct Damage<'a> {
    patches: Vec<Patch<'a>>,
    /// The remaining part of the file, in 65536ths.
    left: Option<u16>,
    /// The content of the log beside it.
    log: Option<&'a [u8]>,
    /// Whether the database is opened a second time, because the first time may have repaired or replaced it.
    twice: bool,
}

#[derive(Arbitrary, Debug)]
struct Patch<'a> {
    place: u32,
    bytes: &'a [u8],
}

fuzz_target!(|damage: Damage| {
    static INTACT: OnceLock<Vec<u8>> = OnceLock::new();
    let mut file = INTACT.get_or_init(intact).clone();
    for patch in &damage.patches {
        let place = patch.place as usize % file.len();
        let end = (place + patch.bytes.len()).min(file.len());
        file[place..end].copy_from_slice(&patch.bytes[..end - place]);
    }
    if let Some(left) = damage.left {
        file.truncate(file.len() * usize::from(left) / 65536);
    }
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(fuzz::folder).path();
    empty(folder);
    fs::write(folder.join(DATABASE), &file).expect("a file");
    if let Some(log) = damage.log {
        fs::write(folder.join("messages.db-wal"), log).expect("a file");
    }
    if let Err(problem) = messages::inspect_database(folder) {
        fuzz::assert_readable(&problem.to_string());
    }
    use_store(folder, if damage.twice { 2 } else { 1 });
});

/// Removes what the previous input has left, except for the store's reserved space: allocating that again would cost a third of everything
/// else.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.file_name() != RESERVE {
            fs::remove_file(entry.path()).expect("a file that goes");
        }
    }
}

/// Opens the database this many times, one after the other.
fn use_store(state: &Path, times: usize) {
    for _ in 0..times {
        run(state, async |outbox| {
            let ((), ..) = tokio::join!(
                accept(outbox),
                outbox.list(0, false),
                outbox.list(0, true),
                outbox.subscribed(),
                outbox.thing(),
                take(outbox)
            );
        });
    }
}

/// Runs the store and its users in one thread, because a thread for each input would cost more than the input. The store ends by itself
/// once nobody holds it.
fn run(state: &Path, users: impl AsyncFnOnce(&Outbox)) {
    let clock: SharedClock = Arc::new(FixedClock::default());
    let reporter =
        StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let (handles, store) = messages::prepare(state, Bounds::default(), clock, reporter);
    let users = async move {
        users(&handles.outbox).await;
        drop(handles);
    };
    let both = async { tokio::join!(users, tokio::time::timeout(ENDING, store)) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let ((), ended) = runtime.expect("a runtime").block_on(both);
    ended.expect("the store ends");
}

/// Asserts that an accepted message is stored.
async fn accept(outbox: &Outbox) {
    match outbox.accept(message(b"afterwards"), Account::default()).await {
        Ok(id) => {
            let shown = outbox.show(id).await;
            assert!(
                shown.is_err() || shown.is_ok_and(|shown| shown.is_some()),
                "{id} is not there"
            );
        }
        Err(refused) => assert!(!format!("{refused:?}").is_empty()),
    }
}

async fn take(outbox: &Outbox) {
    if let Ok(next) = outbox.take(10, 1 << 20).await {
        let _ = next.await;
    }
}

fn message(payload: &[u8]) -> Message {
    Message {
        topic: "gw-1/data".to_owned(),
        payload: payload.to_vec().into(),
        ..Message::default()
    }
}

/// Returns a database like a gateway's.
fn intact() -> Vec<u8> {
    let folder = fuzz::folder();
    run(folder.path(), async |outbox| {
        for number in 0..20_u8 {
            let accepted = outbox
                .accept(message(&vec![number; 300 * usize::from(number)]), Account::default())
                .await;
            accepted.expect("room in a new database");
        }
        outbox.store_thing("gw-1".to_owned()).await;
        if let Some(noted) = outbox
            .store_subscribed(vec![("gw-1/#".to_owned(), SubscriptionState::Uncertain)])
            .await
        {
            let _ = noted.await;
        }
        if let Ok(next) = outbox.take(3, 1 << 20).await
            && let Ok(Ok(taken)) = next.await
        {
            for outgoing in taken {
                outbox
                    .park(outgoing.message_ref, "not authorized (0x87)".to_owned())
                    .await;
            }
        }
    });
    fs::read(folder.path().join(DATABASE)).expect("the database")
}
