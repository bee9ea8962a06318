//! Tests of when the outbox is read.

use super::super::super::testing::{Bench, disconnected, session};
use super::*;
use crate::cloud::mqtt::ReasonCode;

const SECOND: Duration = Duration::from_secs(1);

/// Whatever the session does meanwhile, it asks the outbox again only after a change. Each question wakes up the store's thread.
#[tokio::test(start_paused = true)]
async fn an_empty_outbox_is_read_again_after_each_change_and_not_before() {
    let mut bench = Bench::new(None).await;
    bench.connect(session(true)).await;
    for payload in ["one", "two"] {
        bench.settle().await;
        for _ in 0..3 {
            bench.settle().await;
            let publisher = &bench.traffic.publisher;
            assert!(
                publisher.is_drained && publisher.requested.is_none(),
                "before {payload}"
            );
        }
        bench.publish(payload).await;
        bench.settle().await;
        assert_eq!(bench.published(), [payload]);
    }
    // These changes are the session's own, and nothing else tells it of them.
    bench.publish("three").await;
    bench.settle().await;
    bench.answer_with("three", ReasonCode::QUOTA_EXCEEDED).await;
    bench.sent();
    bench.run(2 * SECOND).await;
    assert_eq!(bench.published(), ["three"], "it was deferred");
    bench.lose(&disconnected(ReasonCode::SERVER_BUSY)).await;
    bench.connect(session(true)).await;
    bench.run(2 * SECOND).await;
    assert_eq!(bench.published(), ["one", "two", "three"], "they were in flight");
}
