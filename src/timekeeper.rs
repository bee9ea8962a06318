//! Says whether the wall clock is set, and tells the rooms when somebody sets it.

use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{SharedClock, Steps, build_date, is_set, rfc3339};
use crate::problem::Problem;
use crate::status::{ClockDetails, ClockPhase, Reporter};

/// An unset clock also becomes plausible by merely running on; nobody is told of that.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Runs for as long as the daemon does. `steps` counts the times the clock was set.
pub async fn run(clock: SharedClock, reporter: Reporter<ClockPhase, ClockDetails>, steps: watch::Sender<u64>) {
    let mut listener = Steps::listen()
        .inspect_err(|error| log::error!("clock: steps of the wall clock are not noticed: {error}"))
        .ok();
    loop {
        let set = report(&clock, &reporter);
        let look_again = if set { Duration::MAX } else { LOOK_AGAIN };
        tokio::select! {
            stepped = next_step(&mut listener) => match stepped {
                true => {
                    log::info!(GATEPOST_EVENT = "clock-step"; "clock: the wall clock was set; it is {}", rfc3339(clock.wall()));
                    // The phase first: who hears of the step reads it.
                    report(&clock, &reporter);
                    steps.send_modify(|count| *count += 1);
                }
                // Without the timer a step is still met at the next refresh; only "at once" is lost.
                false => listener = None,
            },
            () = tokio::time::sleep(look_again) => {}
        }
    }
}

/// Waits for a step; `false` when steps are no longer noticed.
async fn next_step(listener: &mut Option<Steps>) -> bool {
    match listener {
        Some(steps) => match steps.next().await {
            Ok(()) => true,
            Err(error) => {
                log::error!("clock: steps of the wall clock are no longer noticed: {error}");
                false
            }
        },
        None => std::future::pending().await,
    }
}

fn report(clock: &SharedClock, reporter: &Reporter<ClockPhase, ClockDetails>) -> bool {
    let set = is_set(&**clock);
    match set {
        true => reporter.report(ClockPhase::Set, None),
        false => {
            let message = format!(
                "the clock shows {}, which is before this program was built ({}); TLS waits until it is set",
                rfc3339(clock.wall()).split('T').next().unwrap_or_default(),
                rfc3339(build_date()).split('T').next().unwrap_or_default()
            );
            reporter.report(
                ClockPhase::Unset,
                Some(Problem::wait(message).next("check the time synchronisation: timedatectl")),
            );
        }
    }
    set
}
