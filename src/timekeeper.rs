//! Says whether the wall clock is set, and tells the rooms when somebody sets it.

use std::time::Duration;

use log::Level;
use tokio::sync::watch;

use crate::clock::{SharedClock, Steps, build_date, is_set, rfc3339};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::status::{ClockDetails, ClockPhase, Reporter};

/// An unset clock also becomes plausible by merely running on; the kernel tells nobody of that.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Runs for as long as the daemon does. `steps` counts the times the clock was set.
pub async fn run(clock: SharedClock, reporter: Reporter<ClockPhase, ClockDetails>, steps: watch::Sender<u64>) {
    let mut listener = Steps::listen()
        .inspect_err(|error| journal!(Level::Error, Event::ClockStepsUnnoticed; "clock: steps of the wall clock are not noticed: {error}"))
        .ok();
    loop {
        let set = report(&clock, &reporter);
        let look_again = if set { Duration::MAX } else { LOOK_AGAIN };
        tokio::select! {
            stepped = next_step(&mut listener) => match stepped {
                true => {
                    journal!(Level::Info, Event::ClockStep; "clock: the wall clock was set; it is {}", rfc3339(clock.wall()));
                    // The phase first: who hears of the step reads it.
                    report(&clock, &reporter);
                    steps.send_modify(|count| *count += 1);
                }
                // Without the timer a step is still met at the next refresh; only "at once" is lost.
                false => listener = None,
            },
            () = tokio::time::sleep(look_again) => if report(&clock, &reporter) {
                // Nobody was told by the kernel; for the rooms it is a step all the same.
                steps.send_modify(|count| *count += 1);
            }
        }
    }
}

/// Waits for a step; `false` when steps are no longer noticed.
async fn next_step(listener: &mut Option<Steps>) -> bool {
    match listener {
        Some(steps) => match steps.next().await {
            Ok(()) => true,
            Err(error) => {
                journal!(Level::Error, Event::ClockStepsUnnoticed; "clock: steps of the wall clock are no longer noticed: {error}");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::status::Desk;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_becomes_plausible_unheard_counts_as_a_step() {
        let clock = ManualClock::at(60);
        let reporter = Desk::new(clock.clone()).reporter("clock", ClockPhase::Unset, ClockDetails {});
        let mut part = reporter.watch();
        let (steps, mut stepped) = watch::channel(0);
        tokio::spawn(run(clock.clone(), reporter, steps));
        let unset = part.wait_for(|part| part.problem.is_some()).await.unwrap().clone();
        assert_eq!(unset.phase, ClockPhase::Unset);
        assert!(unset.problem.unwrap().message.contains("1970-01-01"));

        clock.step_to(build_date());
        let soon = tokio::time::timeout(2 * LOOK_AGAIN, stepped.changed());
        soon.await.unwrap().unwrap();
        assert_eq!(part.borrow_and_update().phase, ClockPhase::Set);
        assert_eq!(*stepped.borrow(), 1);
    }
}
