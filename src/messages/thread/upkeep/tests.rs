//! Tests of the space that durable subscriptions use on the disk, and of shrinking the file.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::sleep;

use super::is_needed;
use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::messages::inbox::durable::deliver::deliver;
use crate::messages::inbox::durable::deliveries::{acknowledge, read};
use crate::messages::inbox::durable::subscription::{AcknowledgeOutcome, DurableSubscriptionError};
use crate::messages::inbox::durable::table::{create_or_resume, delete};
use crate::messages::thread::Store;
use crate::messages::thread::job::Durability;
use crate::messages::{Bounds, Handles, Owner, Received, spawn};
use crate::qos::Qos;
use crate::status::{MessagesDetails, MessagesPhase, StatusHub};
use crate::user_accounts::UserAccounts;

const MIB: u64 = 1024 * 1024;

fn opened(bounds: Bounds) -> (TempDir, Handles) {
    let folder = tempfile::tempdir().unwrap();
    let clock: SharedClock = ManualClock::at(1_893_456_000);
    let reporter =
        StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let handles = spawn(folder.path(), bounds, clock, reporter).unwrap();
    (folder, handles)
}

fn user(uid: u32) -> Owner {
    Owner::User { uid, gid: Some(uid) }
}

async fn create(store: &Store, name: &str, owner: Owner) -> Result<(), DurableSubscriptionError> {
    let name = name.to_owned();
    let kept = store.run(Durability::SyncedInsert, move |database| {
        create_or_resume(
            database,
            &name,
            &owner,
            "t/#",
            Qos::AtLeastOnce,
            &UserAccounts::default(),
        )
    });
    kept.await.unwrap().map(drop)
}

async fn deliver_to(store: &Store, names: &[String], payload: usize) {
    let (names, message) = (
        names.to_vec(),
        Received {
            topic: "t/a".into(),
            payload: vec![0x5a; payload].into(),
            qos: Qos::AtLeastOnce,
            ..Received::default()
        },
    );
    let delivered = store.run(Durability::SyncedInsert, move |database| {
        deliver(database, &names, &message)
    });
    delivered.await.unwrap();
}

/// Returns the number of rows in each table.
async fn rows(store: &Store) -> (i64, i64) {
    let count = store.run(Durability::ReadOnly, |database| {
        let count = "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM delivery)";
        database
            .connection
            .query_row(count, (), |row| Ok((row.get(0)?, row.get(1)?)))
    });
    count.await.unwrap()
}

fn size(folder: &TempDir) -> u64 {
    std::fs::metadata(folder.path().join("messages.db")).unwrap().len()
}

/// Waits until there is nothing left to release.
async fn tidied(store: &Store) {
    let soon = Instant::now() + Duration::from_secs(120);
    loop {
        let busy = store.run(Durability::ReadOnly, |database| {
            Ok(is_needed(database) || database.is_shrinking)
        });
        if !busy.await.unwrap() {
            return;
        }
        assert!(Instant::now() < soon, "it never comes to an end");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_message_is_stored_once_and_the_file_shrinks_when_it_is_gone() {
    let (folder, handles) = opened(Bounds::default());
    let store = handles.inbox.store();
    let names: Vec<String> = (0..76).map(|number| format!("s{number}")).collect();
    for (name, number) in names.iter().zip(0..) {
        create(store, name, user(number / 2)).await.unwrap();
    }
    for _ in 0..96 {
        deliver_to(store, &names, 64 * 1024).await;
    }
    assert_eq!(
        rows(store).await,
        (96, 76 * 96),
        "each is there once, and everybody has it"
    );
    let write_back = store.run(Durability::ReadOnly, |database| {
        database
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
    });
    write_back.await.unwrap();
    let full = size(&folder);
    assert!((6 * MIB..8 * MIB).contains(&full), "{full} bytes");
    // One subscription releases its messages: nothing is freed as long as others have them.
    let acknowledged = store.run(Durability::Unsynced, |database| acknowledge(database, "s75", 96));
    assert_eq!(acknowledged.await.unwrap(), AcknowledgeOutcome::Done);
    assert_eq!(rows(store).await.0, 96);
    for name in names {
        store
            .run(Durability::Synced, move |database| delete(database, &name))
            .await
            .unwrap();
    }
    tidied(store).await;
    assert_eq!(rows(store).await, (0, 0));
    let left = size(&folder);
    assert!(left < MIB, "{left} bytes of {full}");
}

#[tokio::test]
async fn no_account_takes_all_the_subscriptions() {
    let (_folder, handles) = opened(Bounds::default());
    let store = handles.inbox.store();
    let unit = Owner::Unit {
        unit: "a.service".to_owned(),
        uid: 7,
        gid: 7,
    };
    for number in 0..16 {
        create(store, &format!("greedy{number}"), user(1)).await.unwrap();
        create(store, &format!("unit{number}"), unit.clone()).await.unwrap();
    }
    assert_eq!(
        create(store, "greedy16", user(1)).await,
        Err(DurableSubscriptionError::TooManyOfAccount(16))
    );
    assert_eq!(
        create(store, "unit16", unit).await,
        Err(DurableSubscriptionError::TooManyOfAccount(16))
    );
    create(store, "greedy3", user(1)).await.unwrap();
    assert_eq!(
        create(store, "greedy3", user(2)).await,
        Err(DurableSubscriptionError::Owned)
    );
    for number in 32..128 {
        create(store, &format!("n{number}"), user(number)).await.unwrap();
    }
    assert_eq!(
        create(store, "n128", user(1000)).await,
        Err(DurableSubscriptionError::TooMany(128))
    );
    store
        .run(Durability::Synced, |database| delete(database, "greedy0"))
        .await
        .unwrap();
    create(store, "n128", user(1000)).await.unwrap();
}

#[tokio::test]
async fn an_accounts_fullest_subscription_makes_room() {
    let bounds = Bounds {
        inbox_max_bytes: 50_000,
        ..Bounds::default()
    };
    let (_folder, handles) = opened(bounds);
    let store = handles.inbox.store();
    let names: Vec<String> = (0..16).map(|number| format!("s{number}")).collect();
    for name in &names {
        create(store, name, user(1)).await.unwrap();
    }
    create(store, "other", user(2)).await.unwrap();
    for name in names.iter().chain([&"other".to_owned()]) {
        for _ in 0..9 {
            deliver_to(store, std::slice::from_ref(name), 5_000).await;
        }
    }
    let all = store.run(Durability::ReadOnly, |database| {
        let all = database.durable.all();
        Ok(all
            .map(|kept| (kept.name.clone(), kept.total.bytes, kept.dropped))
            .collect::<Vec<_>>())
    });
    let all = all.await.unwrap();
    let of_one = all.iter().filter(|(name, ..)| name != "other");
    let bytes: u64 = of_one.clone().map(|(_, bytes, _)| bytes).sum();
    assert!((380_000..=400_000).contains(&bytes), "{all:?}");
    assert!(
        of_one.clone().all(|(_, bytes, _)| *bytes > 10_000),
        "none is driven out by the others: {all:?}"
    );
    assert_eq!(
        of_one.map(|(_, _, dropped)| dropped).sum::<u64>(),
        16 * 9 - bytes / 5_043,
        "{all:?}"
    );
    let other = all.iter().find(|(name, ..)| name == "other").unwrap();
    assert_eq!((other.1 / 5_000, other.2), (9, 0), "another account does not notice");
}

/// Each of 16 users that one user can become has its own subscription.
#[tokio::test]
async fn subordinate_users_share_the_bounds_of_their_user() {
    use crate::user_accounts::OwnedRange;
    let bounds = Bounds {
        inbox_max_bytes: 50_000,
        ..Bounds::default()
    };
    let (_folder, handles) = opened(bounds);
    let store = handles.inbox.store();
    let range = OwnedRange {
        owner: 1000,
        first: 100_000,
        count: 65_536,
    };
    let accounts = std::sync::Arc::new(UserAccounts::new([].into(), vec![range]));
    let names: Vec<String> = (0..16).map(|number| format!("s{number}")).collect();
    for (name, uid) in names.iter().zip(100_000..) {
        create(store, name, user(uid)).await.unwrap();
    }
    create(store, "other", user(2)).await.unwrap();
    // A reload updates the accounts.
    handles.inbox.set_user_accounts(accounts).await;
    for name in names.iter().chain([&"other".to_owned()]) {
        for _ in 0..9 {
            deliver_to(store, std::slice::from_ref(name), 5_000).await;
        }
    }
    let all = store.run(Durability::ReadOnly, |database| {
        let all = database.durable.all();
        Ok(all
            .map(|kept| (kept.name.clone(), kept.total.bytes))
            .collect::<Vec<_>>())
    });
    let all = all.await.unwrap();
    let bytes: u64 = all
        .iter()
        .filter(|(name, _)| name != "other")
        .map(|(_, bytes)| bytes)
        .sum();
    assert!((380_000..=400_000).contains(&bytes), "{all:?}");
    let other = all.iter().find(|(name, _)| name == "other").unwrap();
    assert_eq!(other.1 / 5_000, 9, "another account does not notice");
}

#[tokio::test]
async fn a_new_subscription_starts_empty_after_one_with_its_name_ended() {
    let (_folder, handles) = opened(Bounds::default());
    let store = handles.inbox.store();
    create(store, "old", user(1)).await.unwrap();
    for _ in 0..1200 {
        deliver_to(store, &["old".to_owned()], 10).await;
    }
    let replaced = store.run(Durability::Synced, |database| {
        delete(database, "old")?;
        let accounts = UserAccounts::default();
        create_or_resume(database, "new", &user(2), "t/#", Qos::AtLeastOnce, &accounts).map(drop)
    });
    replaced.await.unwrap();
    let read = |name: &'static str| {
        store.run(Durability::ReadOnly, move |database| {
            read(database, name, 0, 9999, 1 << 20)
        })
    };
    assert!(read("new").await.unwrap().unwrap().is_empty());
    assert!(read("old").await.unwrap().is_none());
    deliver_to(store, &["new".to_owned()], 10).await;
    tidied(store).await;
    assert_eq!(read("new").await.unwrap().unwrap().len(), 1);
    assert_eq!(rows(store).await, (1, 1));
}

#[tokio::test]
async fn a_large_acknowledgement_runs_in_steps() {
    let (_folder, handles) = opened(Bounds::default());
    let store = handles.inbox.store();
    create(store, "s", user(1)).await.unwrap();
    for _ in 0..1100 {
        deliver_to(store, &["s".to_owned()], 10).await;
    }
    for expected in [
        AcknowledgeOutcome::More,
        AcknowledgeOutcome::More,
        AcknowledgeOutcome::Done,
    ] {
        let done = store.run(Durability::Unsynced, |database| acknowledge(database, "s", 1099));
        assert_eq!(done.await.unwrap(), expected);
    }
    assert_eq!(rows(store).await, (1, 1));
    assert_eq!(
        handles.inbox.acknowledge("s", 1100).await.unwrap(),
        AcknowledgeOutcome::Done
    );
    assert_eq!(rows(store).await, (0, 0));
}

/// After an upgrade an account may have more than it may keep: making room for one subscription then deletes the oldest messages of
/// another.
#[tokio::test]
async fn a_message_is_not_deleted_by_making_room_for_its_next_subscription() {
    let bounds = Bounds {
        inbox_max_bytes: 200_000,
        ..Bounds::default()
    };
    let (_folder, handles) = opened(bounds);
    let store = handles.inbox.store();
    let names: Vec<String> = (0..12).map(|number| format!("s{number}")).collect();
    for name in &names {
        create(store, name, user(1)).await.unwrap();
    }
    for _ in 0..8 {
        deliver_to(store, &names, 10_000).await;
    }
    for bound in [90_000, 60_000, 20_000, 11_000] {
        let lower = store.run(Durability::Unsynced, move |database| {
            database.context.bounds.inbox_max_bytes = bound;
            Ok(())
        });
        lower.await.unwrap();
        deliver_to(store, &names, 10_000).await;
        let look = store.run(Durability::ReadOnly, |database| {
            let count = |sql| database.connection.query_row(sql, (), |row| row.get::<_, u64>(0));
            Ok((
                count("SELECT count(*) FROM delivery WHERE message NOT IN (SELECT id FROM message)")?,
                count("SELECT count(*) FROM message WHERE id NOT IN (SELECT message FROM delivery)")?,
                count("SELECT count(*) FROM delivery")?,
                database.durable.all().map(|kept| kept.total.messages).sum::<u64>(),
                database.durable.all().map(|kept| kept.total.bytes).sum::<u64>(),
            ))
        });
        let (dangling, orphans, delivered, counted, bytes) = look.await.unwrap();
        assert_eq!((dangling, orphans, delivered), (0, 0, counted), "with {bound} bytes");
        assert!(bytes <= 8 * bound, "{bytes} of {bound}");
    }
}

#[tokio::test]
async fn rows_of_ended_subscriptions_are_deleted_and_others_stay() {
    let (_folder, handles) = opened(Bounds::default());
    let store = handles.inbox.store();
    let names: Vec<String> = (0..6).map(|number| format!("s{number}")).collect();
    for (name, uid) in names.iter().zip(1..) {
        create(store, name, user(uid)).await.unwrap();
    }
    for _ in 0..5 {
        deliver_to(store, &names, 10).await;
    }
    for name in ["s0", "s3", "s5"] {
        store
            .run(Durability::Synced, move |database| delete(database, name))
            .await
            .unwrap();
    }
    tidied(store).await;
    assert_eq!(rows(store).await, (5, 15));
    for name in ["s1", "s2", "s4"] {
        store
            .run(Durability::Synced, move |database| delete(database, name))
            .await
            .unwrap();
    }
    tidied(store).await;
    assert_eq!(rows(store).await, (0, 0));
}

#[tokio::test]
async fn subordinate_users_share_the_number_of_subscriptions() {
    use crate::user_accounts::OwnedRange;
    let (_folder, handles) = opened(Bounds::default());
    let store = handles.inbox.store();
    let range = OwnedRange {
        owner: 1000,
        first: 100_000,
        count: 65_536,
    };
    let accounts = std::sync::Arc::new(UserAccounts::new([100_500].into(), vec![range]));
    let mut refused = Vec::new();
    for (uid, number) in (100_000..100_020).chain([1000, 100_500, 1001]).zip(0..) {
        let (accounts, name) = (accounts.clone(), format!("s{number}"));
        let kept = store.run(Durability::SyncedInsert, move |database| {
            create_or_resume(database, &name, &user(uid), "t/#", Qos::AtLeastOnce, &accounts)
        });
        if kept.await.unwrap().is_err() {
            refused.push(uid);
        }
    }
    let expected: Vec<u32> = (100_016..100_020).chain([1000]).collect();
    assert_eq!(refused, expected);
}
