//! Tests of programs that read slowly.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;

use super::*;

/// Returns whether a program that reads a message every three seconds is disconnected before the twentieth, depending on whether AWS's
/// window is full.
async fn is_cut(is_window_full: bool) -> bool {
    let stream = Stream::new("t", Qos::AtLeastOnce, "uid 1", None, 1);
    let (back, _acknowledged) = mpsc::unbounded_channel();
    let is_window_full = Arc::new(AtomicBool::new(is_window_full));
    for packet_id in 0..40 {
        let ack = AckGuard::new(packet_id, back.clone(), is_window_full.clone());
        let delivery = Delivery {
            id: None,
            message: Arc::default(),
            received: std::time::SystemTime::UNIX_EPOCH,
        };
        assert!(stream.push(delivery, ack));
    }
    let reading = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(stream.waiting.borrow_mut().pop_front());
            stream.last_read.set(Some(Instant::now()));
        }
    };
    tokio::select! {
        cut = stream.watch_reader() => cut,
        () = reading => false,
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_a_slow_reader_is_cut_when_the_others_wait_for_it_and_only_then() {
    assert!(is_cut(true).await);
    assert!(!is_cut(false).await);
}
