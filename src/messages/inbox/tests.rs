//! The inbox while the disk accepts nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::messages::inbox::unstored::BLOCKING_TIME;
use crate::messages::message::Received;
use crate::messages::store::file;
use crate::messages::{AckGuard, Bounds, SessionEvent, spawn};
use crate::status::{MessagesDetails, MessagesPhase, StatusHub};

fn message() -> Received {
    Received {
        topic: "t".into(),
        qos: crate::qos::Qos::AtLeastOnce,
        ..Received::default()
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_what_the_disk_does_not_take_stops_others_for_a_minute_and_is_lost_aloud() {
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
        // They wait while no other message is blocked.
        sleep(10 * BLOCKING_TIME).await;
        assert_eq!(acknowledged.try_recv().ok(), None);
        window_full.store(true, Ordering::Relaxed);
        for packet_id in 1..=10 {
            assert_eq!(acknowledged.recv().await, Some(packet_id));
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
