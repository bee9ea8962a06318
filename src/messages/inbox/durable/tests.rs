//! Tests of withheld messages, and of the share of the outbox that an account may fill, through the store.

use tempfile::TempDir;

use super::deliver::deliver;
use super::deliveries::{self, read, set_withheld};
use super::subscription::AcknowledgeOutcome;
use super::table::create_or_resume;
use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::messages::thread::Store;
use crate::messages::thread::job::Durability;
use crate::messages::{Account, Bounds, Handles, Message, Owner, Received, Selection, SubmitError, spawn};
use crate::qos::Qos;
use crate::status::{MessagesDetails, MessagesPhase, StatusHub};
use crate::user_accounts::UserAccounts;

fn open(folder: &TempDir, bounds: Bounds) -> Handles {
    let clock: SharedClock = ManualClock::at(1_893_456_000);
    let reporter =
        StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    spawn(folder.path(), bounds, clock, reporter).unwrap()
}

fn owner() -> Owner {
    Owner::User { uid: 1, gid: Some(1) }
}

async fn create(store: &Store) {
    let made = store.run(Durability::SyncedInsert, |database| {
        create_or_resume(
            database,
            "worker",
            &owner(),
            "t/#",
            Qos::AtLeastOnce,
            &UserAccounts::default(),
        )
    });
    made.await.unwrap().unwrap();
}

async fn deliver_many(store: &Store, count: u64) {
    for number in 0..count {
        let message = Received {
            topic: format!("t/{number}"),
            payload: "x".into(),
            ..Received::default()
        };
        let stored = store.run(Durability::SyncedInsert, move |database| {
            deliver(database, &["worker".to_owned()], &message)
        });
        stored.await.unwrap();
    }
}

async fn withhold(store: &Store, ids: &[i64], withheld: bool) {
    let ids = ids.to_vec();
    store
        .run(Durability::Unsynced, move |database| {
            set_withheld(database, "worker", &ids, withheld)
        })
        .await
        .unwrap();
}

async fn acknowledge(store: &Store, up_to: i64) -> AcknowledgeOutcome {
    loop {
        let done = store.run(Durability::Unsynced, move |database| {
            deliveries::acknowledge(database, "worker", up_to)
        });
        match done.await.unwrap() {
            AcknowledgeOutcome::More => {}
            done => return done,
        }
    }
}

/// Returns the numbers of the waiting messages, and how many of them are counted as withheld.
async fn waiting(store: &Store) -> (Vec<i64>, u64) {
    let read = store.run(Durability::ReadOnly, |database| {
        let page = read(database, "worker", 0, 99_999, 1 << 30)?.unwrap_or_default();
        let ids: Vec<i64> = page.iter().map(|message| message.id).collect();
        let subscription = database.durable.get("worker").unwrap();
        let withheld = u64::try_from(page.iter().filter(|message| message.withheld).count()).unwrap();
        assert_eq!(subscription.withheld, withheld, "it is counted right");
        assert_eq!(subscription.total.messages, u64::try_from(ids.len()).unwrap());
        Ok((ids, withheld))
    });
    read.await.unwrap()
}

#[tokio::test]
async fn promise_5_an_acknowledgement_deletes_no_undelivered_message() {
    // Six messages: which are withheld, the number up to which messages are acknowledged, and what is left.
    let cases: &[(&[i64], i64, &[i64])] = &[
        (&[], 6, &[]),
        (&[], 3, &[4, 5, 6]),
        (&[2], 6, &[2]),
        (&[1], 1, &[1, 2, 3, 4, 5, 6]),
        (&[1, 2, 3], 3, &[1, 2, 3, 4, 5, 6]),
        (&[1, 2, 3], 4, &[1, 2, 3, 5, 6]),
        (&[6], 5, &[6]),
        (&[6], 6, &[6]),
        (&[1, 3, 5], 6, &[1, 3, 5]),
        (&[1, 2, 3, 4, 5, 6], 6, &[1, 2, 3, 4, 5, 6]),
    ];
    for (withheld, up_to, left) in cases {
        let folder = tempfile::tempdir().unwrap();
        let handles = open(&folder, Bounds::default());
        let store = handles.inbox.store().clone();
        create(&store).await;
        deliver_many(&store, 6).await;
        withhold(&store, withheld, true).await;
        // Acknowledging twice has the same effect.
        withhold(&store, withheld, true).await;
        assert_eq!(acknowledge(&store, *up_to).await, AcknowledgeOutcome::Done);
        let still = u64::try_from(withheld.len()).unwrap();
        assert_eq!(waiting(&store).await, (left.to_vec(), still), "{withheld:?} {up_to}");
        // The same after a restart.
        drop(store);
        let ended = handles.ended;
        drop((handles.outbox, handles.inbox, handles.event_sender));
        let _ = ended.recv();
        let handles = open(&folder, Bounds::default());
        let store = handles.inbox.store().clone();
        assert_eq!(waiting(&store).await, (left.to_vec(), still), "{withheld:?} {up_to}");
        // Once delivered, they are deleted like all others.
        withhold(&store, withheld, false).await;
        assert_eq!(acknowledge(&store, 6).await, AcknowledgeOutcome::Done);
        assert_eq!(waiting(&store).await, (Vec::new(), 0), "{withheld:?} {up_to}");
    }
}

#[tokio::test]
async fn withheld_messages_survive_acknowledgements_and_make_room_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        inbox_max_messages: 1200,
        ..Bounds::default()
    };
    let handles = open(&folder, bounds);
    let store = handles.inbox.store().clone();
    create(&store).await;
    deliver_many(&store, 1200).await;
    // More than an acknowledgement handles in one turn.
    let withheld: Vec<i64> = (1..=600).collect();
    withhold(&store, &withheld, true).await;
    assert_eq!(acknowledge(&store, 1200).await, AcknowledgeOutcome::Done);
    assert_eq!(waiting(&store).await, (withheld, 600));
    deliver_many(&store, 601).await;
    let (ids, count) = waiting(&store).await;
    assert_eq!(
        (ids.len(), ids.first(), count),
        (1200, Some(&2), 599),
        "the oldest has gone"
    );
    let counts = store
        .run(Durability::ReadOnly, |database| {
            let mut all = database.durable.all();
            Ok(all
                .next()
                .map(|subscription| (subscription.withheld, subscription.dropped)))
        })
        .await
        .unwrap();
    assert_eq!(counts, Some((599, 1)), "and that is reported");
}

#[tokio::test]
async fn promise_6_an_account_that_fills_the_outbox_leaves_room_to_others_and_to_root() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = Bounds {
        max_messages: 80,
        ..Bounds::default()
    };
    let outbox = open(&folder, bounds).outbox;
    let publish = async |account: Account| {
        let message = Message {
            topic: "t".to_owned(),
            ..Message::default()
        };
        outbox.accept(message, account).await
    };
    let fill = async |account: Account| {
        let mut taken = 0;
        loop {
            match publish(account.clone()).await {
                Ok(_) => taken += 1,
                Err(SubmitError::Full(why)) => return (taken, why),
                Err(other) => panic!("{other:?}"),
            }
        }
    };
    let (taken, why) = fill(Account::of_user(1)).await;
    assert_eq!(taken, 70);
    assert!(why.message.contains("its share"), "{why}");
    for uid in 2..6 {
        assert!(publish(Account::of_user(uid)).await.is_ok(), "{uid}");
    }
    // Root uses the rest of the space, and then it is full for everybody.
    let (taken, why) = fill(Account::of_user(0)).await;
    assert_eq!(taken, 6);
    assert!(why.message.contains("the outbox is full"), "{why}");
    // Once the messages are gone, the account may fill its share again.
    assert!(outbox.purge(Selection::Queued).await.unwrap() == 80);
    assert_eq!(fill(Account::of_user(1)).await.0, 70);
}
