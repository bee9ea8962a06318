//! Tests of the inbox while the disk accepts nothing, and of what counts as taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::messages::inbox::subscriber::Subscriber;
use crate::messages::inbox::unstored::BLOCKING_TIME;
use crate::messages::message::Received;
use crate::messages::owner::Owner;
use crate::messages::store::file;
use crate::messages::{AckGuard, AckOutcome, Bounds, SessionEvent, spawn};
use crate::qos::Qos;
use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

fn message() -> Received {
    Received {
        topic: "t".into(),
        qos: Qos::AtLeastOnce,
        ..Received::default()
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_unstorable_messages_block_others_for_a_minute_and_are_then_logged_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let set_version = |version: i64| {
        let database = Connection::open(file::path(folder.path())).unwrap();
        database.pragma_update(None, "user_version", version).unwrap();
    };
    set_version(99);
    let clock: SharedClock = ManualClock::at(1_893_456_000);
    let reporter =
        StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let mut status = reporter.watch();
    let handles = spawn(folder.path(), Bounds::default(), clock, reporter).unwrap();
    let (session, mut acknowledged) = mpsc::unbounded_channel();
    let window_full = Arc::new(AtomicBool::new(false));
    let test = async {
        spawn_local(handles.inbox.clone().run(handles.session_events));
        for packet_id in 1..=30 {
            let ack = AckGuard::new(packet_id, session.clone(), window_full.clone());
            handles
                .event_sender
                .send(SessionEvent::Message(message(), ack))
                .await
                .unwrap();
        }
        // They wait although no other message is blocked.
        sleep(10 * BLOCKING_TIME).await;
        assert_eq!(acknowledged.try_recv().ok(), None);
        window_full.store(true, Ordering::Relaxed);
        for packet_id in 1..=10 {
            let outcome = AckOutcome {
                packet_id,
                is_taken: false,
            };
            assert_eq!(acknowledged.recv().await, Some(outcome));
        }
        window_full.store(false, Ordering::Relaxed);
        sleep(10 * BLOCKING_TIME).await;
        assert_eq!(acknowledged.try_recv().ok(), None);
        // AWS sends the others again on the next connection.
        drop(acknowledged);
        set_version(0);
        status.wait_for(|part| part.details.inbox_dropped == 10).await.unwrap();
        assert!(handles.inbox.state.unstored.first().is_none());
    };
    LocalSet::new().run_until(test).await;
}

/// A program's reaction to the message.
#[derive(Clone, Copy, Debug)]
enum Reader {
    /// Reads it, and asks for the next one.
    Takes,
    /// Disconnects after it has received the message, before the next one.
    LeavesWithIt,
    /// Disconnects before it reads.
    Leaves,
    /// Subscribes to something else.
    Elsewhere,
    /// Has a durable subscription.
    Durable,
    /// Has a durable subscription, and deletes it before the message arrives.
    DurableDeleted,
}

fn subscriber(filter: &str) -> Subscriber {
    Subscriber {
        reader: "uid 1".into(),
        owner: Owner::User { uid: 1, gid: Some(1) },
        accounts: Arc::default(),
        filter: filter.into(),
        qos: Qos::AtLeastOnce,
        max_filters: 50,
    }
}

#[tokio::test]
async fn promise_13_a_message_counts_as_taken_only_once_a_program_or_the_disk_has_it() {
    use Reader::{Durable, DurableDeleted, Elsewhere, Leaves, LeavesWithIt, Takes};
    let cases: [(&[Reader], bool); 13] = [
        (&[], false),
        (&[Takes], true),
        (&[LeavesWithIt], false),
        (&[Leaves], false),
        (&[Elsewhere], false),
        (&[Durable], true),
        (&[DurableDeleted], false),
        (&[Leaves, Takes], true),
        (&[Takes, LeavesWithIt], true),
        (&[Leaves, LeavesWithIt, Elsewhere], false),
        (&[Leaves, Durable], true),
        (&[Takes, Durable], true),
        (&[Leaves, DurableDeleted], false),
    ];
    for (readers, is_taken) in cases {
        let outcome = LocalSet::new().run_until(outcome_of(readers, message())).await;
        assert_eq!(outcome, is_taken, "{readers:?}");
    }
    // AWS repeats retained messages when another program subscribes. A program that is already subscribed has received it.
    let retained = Received {
        retained: true,
        ..message()
    };
    for (readers, is_taken) in [
        (&[] as &[Reader], false),
        (&[Takes], true),
        (&[Durable], true),
        (&[Elsewhere], false),
    ] {
        let outcome = LocalSet::new().run_until(outcome_of(readers, retained.clone())).await;
        assert_eq!(outcome, is_taken, "retained: {readers:?}");
    }
}

/// Returns whether the message was taken.
async fn outcome_of(readers: &[Reader], message: Received) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let clock: SharedClock = ManualClock::at(1_893_456_000);
    let reporter =
        StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let handles = spawn(folder.path(), Bounds::default(), clock, reporter).unwrap();
    let inbox = handles.inbox.clone();
    spawn_local(inbox.clone().run(handles.session_events));
    let mut streams = Vec::new();
    for (number, reader) in readers.iter().enumerate() {
        let name = format!("name-{number}");
        let filter = if matches!(reader, Reader::Elsewhere) {
            "elsewhere"
        } else {
            "t"
        };
        match reader {
            Reader::Durable => drop(inbox.subscribe_durable(&subscriber(filter), &name).await.unwrap()),
            Reader::DurableDeleted => {
                drop(inbox.subscribe_durable(&subscriber(filter), &name).await.unwrap());
                assert!(inbox.delete_durable(&name).await.unwrap());
            }
            _ => streams.push((*reader, inbox.subscribe(&subscriber(filter)).unwrap())),
        }
    }
    let (session, mut outcomes) = mpsc::unbounded_channel();
    let ack = AckGuard::new(1, session, Arc::default());
    handles
        .event_sender
        .send(SessionEvent::Message(message, ack))
        .await
        .unwrap();
    // Once this event is taken, the inbox has moved the message from its queue to the streams.
    handles
        .event_sender
        .send(SessionEvent::Subscribed("t".into()))
        .await
        .unwrap();
    while handles.event_sender.capacity() < handles.event_sender.max_capacity() {
        tokio::task::yield_now().await;
    }
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for (reader, mut stream) in streams {
        if matches!(reader, Reader::Takes | Reader::LeavesWithIt) {
            let _ = stream.poll_next(&mut context);
        }
        if matches!(reader, Reader::Takes) {
            let _ = stream.poll_next(&mut context);
        }
    }
    outcomes.recv().await.unwrap().is_taken
}
