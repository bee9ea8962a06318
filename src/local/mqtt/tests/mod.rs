//! Tests of whole connections over pipes in memory, with the store, the inbox and the outbox, and a test that answers in AWS's place.
//! Time is paused, so that none of them waits.

mod connecting;
mod delivering;
mod ending;
mod program;
mod publishing;
mod subscribing;
mod wills;

use tokio::task::LocalSet;

use self::program::Program;
use crate::local::testing::Bench;

/// Runs a test with a gateway that is connected to AWS.
async fn online(test: impl AsyncFnOnce(Bench)) {
    LocalSet::new()
        .run_until(async { test(Bench::online().await).await })
        .await;
}
