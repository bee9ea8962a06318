//! Tests of a database that breaks while it is in use.

use std::fs;

use tempfile::TempDir;
use tokio::sync::oneshot;

use std::path::Path;

use super::open::open_twice_at_most;
use super::*;
use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::messages::outbox::sequence::Place;
use crate::messages::outbox::table;
use crate::messages::{Account, Bounds, Handles, Message, Outbox, Outcome, Sequence, SubmitError, prepare, spawn};
use crate::problem::Problem;
use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

fn opened() -> (TempDir, Handles) {
    let folder = tempfile::tempdir().unwrap();
    let clock: SharedClock = ManualClock::at(1_893_456_000);
    let reporter =
        StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let handles = spawn(folder.path(), Bounds::default(), clock, reporter).unwrap();
    (folder, handles)
}

fn message() -> Message {
    Message {
        topic: "t".to_owned(),
        ..Message::default()
    }
}

fn corrupt() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), None)
}

/// Runs `meanwhile` while the thread is busy with a first job, so that the jobs it submits run together.
async fn together<T>(store: &Store, meanwhile: impl Future<Output = T>) -> T {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let first = store.start(Durability::ReadOnly, move |_| {
        let _ = wait.recv();
        Ok(())
    });
    drop(first.await);
    let outcome = meanwhile.await;
    drop(go);
    outcome
}

#[tokio::test]
async fn a_corrupt_database_accepts_nothing() {
    let (_folder, handles) = opened();
    let store = handles.inbox.store();
    let outcome = together(store, async {
        let breaks = store
            .start(Durability::Synced, |_| Err::<(), _>(corrupt()))
            .await
            .unwrap();
        let accepted = store.start(Durability::SyncedInsert, |database| {
            let submission = crate::messages::outbox::message_ref::Submission {
                message: message(),
                account: Account::default(),
                waiter: None,
                place: Place::default(),
            };
            Ok(table::accept(database, submission)?.is_ok())
        });
        (breaks, accepted.await.unwrap())
    })
    .await;
    assert!(outcome.0.await.unwrap().is_err());
    let accepted = outcome.1.await.unwrap();
    let listed = handles.outbox.list(0, false).await.unwrap();
    assert_eq!(accepted.is_ok(), !listed.is_empty(), "{accepted:?}");
    assert!(accepted.is_err(), "it was not part of any transaction");
}

#[tokio::test]
async fn a_waiting_caller_learns_that_its_message_was_lost() {
    let (folder, handles) = opened();
    let outbox: &Outbox = &handles.outbox;
    let (_, outcome) = outbox.accept_with_outcome(message(), Account::default()).await.unwrap();
    // The log is overwritten as well, because SQLite would repair the file from it.
    for name in ["messages.db", "messages.db-wal"] {
        fs::write(folder.path().join(name), vec![0x55; 8192]).unwrap();
    }
    let breaks = handles
        .inbox
        .store()
        .run(Durability::Synced, |_| Err::<(), _>(corrupt()));
    assert!(breaks.await.is_err());
    assert!(matches!(outcome.await, Ok(Outcome::Dropped(_))));
}

#[test]
fn a_full_disk_is_tried_once_more_without_the_reserve() {
    use std::cell::Cell;

    let full = || StoreError::disk_full(Path::new("/state/messages.db"));
    let other = || StoreError::from(Problem::wait("it is read-only"));
    // Errors of the first and the second attempt; whether it opened, number of attempts, whether the reserve was released.
    for (first, second, expected) in [
        (None, None, (true, 1, false)),
        (Some(full()), None, (true, 2, true)),
        (Some(full()), Some(full()), (false, 2, true)),
        (Some(full()), Some(other()), (false, 2, true)),
        (Some(other()), None, (false, 1, false)),
    ] {
        let (tries, released) = (Cell::new(0), Cell::new(false));
        let open = |()| {
            tries.set(tries.get() + 1);
            let met = if tries.get() == 1 {
                first.clone()
            } else {
                second.clone()
            };
            met.map_or(Ok(()), |failure| Err((failure, ())))
        };
        let outcome = open_twice_at_most((), open, || released.set(true));
        assert_eq!((outcome.is_ok(), tries.get(), released.get()), expected);
    }
}

/// A failed store tests the database by itself, without waiting for a job.
#[tokio::test(start_paused = true)]
async fn a_store_that_has_failed_tests_whether_it_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock: SharedClock = ManualClock::at(1_893_456_000);
    let reporter =
        StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let mut status = reporter.watch();
    let (handles, work) = prepare(folder.path(), Bounds::default(), clock, reporter);
    let heals = async {
        let full = || rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None);
        let fails = handles
            .inbox
            .store()
            .run(Durability::Synced, move |_| Err::<(), _>(full()));
        assert!(fails.await.is_err());
        assert_eq!(status.borrow_and_update().phase, MessagesPhase::Failed);
        let healed = status.wait_for(|part| part.phase == MessagesPhase::Ready).await;
        assert!(healed.unwrap().problem.is_none());
    };
    tokio::select! {
        () = work => panic!("the store has ended"),
        () = heals => {}
    }
}

/// The reason why the first message of a sequence is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Nothing,
    /// There is no room for its size, but for that of the others.
    TooLarge,
    /// Its transaction is rolled back because of a job behind it.
    RolledBack,
    /// Its insert fails.
    Insert,
}

#[tokio::test]
async fn no_message_of_a_sequence_is_accepted_behind_one_that_was_not() {
    let all = [
        Failure::Nothing,
        Failure::TooLarge,
        Failure::RolledBack,
        Failure::Insert,
    ];
    for failure in all {
        let (_folder, handles) = opened();
        let store = handles.inbox.store();
        let bounds = Bounds {
            max_bytes: 10_000,
            ..Bounds::default()
        };
        handles.outbox.set_bounds(bounds);
        let sequence = Sequence::default();
        let first = Message {
            payload: vec![0; if failure == Failure::TooLarge { 20_000 } else { 1 }].into(),
            ..message()
        };
        let outcomes = together(store, async {
            if failure == Failure::Insert {
                let block = |database: &mut Database| {
                    let sql = "CREATE TEMP TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(FAIL, 'full'); END";
                    database.connection.execute_batch(sql)
                };
                drop(store.start(Durability::Unsynced, block).await.unwrap());
            }
            let mut outcomes = vec![start(&handles.outbox, first, Some(&sequence)).await];
            let fails = move |_: &mut Database| match failure {
                Failure::RolledBack => Err::<(), _>(rusqlite::Error::InvalidQuery),
                _ => Ok(()),
            };
            drop(store.start(Durability::Synced, fails).await.unwrap());
            let unblock = |database: &mut Database| database.connection.execute_batch("DROP TRIGGER IF EXISTS full");
            drop(store.start(Durability::Unsynced, unblock).await.unwrap());
            outcomes.push(start(&handles.outbox, message(), Some(&sequence)).await);
            outcomes.push(start(&handles.outbox, message(), None).await);
            outcomes
        })
        .await;
        let mut accepted = Vec::new();
        for outcome in outcomes {
            accepted.push(outcome.await.unwrap().is_ok_and(|outcomes| outcomes[0].is_ok()));
        }
        let works = failure == Failure::Nothing;
        assert_eq!(accepted, [works, works, true], "{failure:?}");
        let next = start(&handles.outbox, message(), Some(&sequence)).await.await.unwrap();
        assert_eq!(next.unwrap()[0].is_ok(), works, "{failure:?}: in a later batch");
    }
}

type BatchOutcome = Result<Vec<Result<i64, SubmitError>>, StoreError>;

async fn start(outbox: &Outbox, message: Message, sequence: Option<&Sequence>) -> oneshot::Receiver<BatchOutcome> {
    let batch = vec![(message, Account::default(), sequence.cloned())];
    outbox.start_batch(batch).await.unwrap()
}
