//! Reports whether the wall clock is set and how far it is from AWS's, and notifies other tasks when it is set.

use std::time::Duration;

use log::Level;
use tokio::sync::watch;

use crate::clock::{Clock, SERIOUS_SKEW, SharedClock, Skew, Steps, build_date, is_set, rfc3339};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::status::{ClockDetails, ClockPhase, Reporter};

/// Interval between two checks of an unset clock. It may also become plausible merely by running, of which the kernel does not notify.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// Minimum change of a skew that is reported. Measurements differ by a second or two.
const MIN_CHANGE: Duration = Duration::from_secs(60);
/// A reported problem remains until the skew is this far below the limit, so that it does not flap.
const HYSTERESIS: Duration = Duration::from_secs(30);

/// Runs for as long as the daemon. `steps` counts how often the clock was set.
pub async fn run(clock: SharedClock, reporter: Reporter<ClockPhase, ClockDetails>, steps: watch::Sender<u64>) {
    let mut listener = Steps::listen()
        .inspect_err(|error| journal!(Level::Error, Event::ClockStepsUnnoticed; "clock: steps of the wall clock are not noticed: {error}"))
        .ok();
    let mut measured = clock.aws().watch();
    let mut keeper = Timekeeper {
        clock,
        reporter,
        reported: None,
    };
    loop {
        let set = keeper.report();
        let wait = if set { Duration::MAX } else { CHECK_INTERVAL };
        tokio::select! {
            stepped = next_step(&mut listener) => match stepped {
                true => {
                    journal!(Level::Info, Event::ClockStep; "clock: the wall clock was set; it is {}", rfc3339(keeper.clock.wall()));
                    // Reported before the notification, because listeners read the phase.
                    keeper.report();
                    steps.send_modify(|count| *count += 1);
                }
                // Without the timer a step is only noticed later, at the next refresh.
                false => listener = None,
            },
            Ok(()) = measured.changed() => {}
            () = tokio::time::sleep(wait) => if keeper.report() {
                // The kernel does not report this, but for the listeners it is a step as well.
                steps.send_modify(|count| *count += 1);
            }
        }
    }
}

/// Waits for a step; returns `false` if steps can no longer be detected.
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

struct Timekeeper {
    clock: SharedClock,
    reporter: Reporter<ClockPhase, ClockDetails>,
    /// The serious skew that is currently reported.
    reported: Option<Skew>,
}

impl Timekeeper {
    /// Reports the current state of the clock; returns whether it is set.
    fn report(&mut self) -> bool {
        let clock = &*self.clock;
        let set = is_set(clock);
        let skew = clock.skew();
        self.reported = skew.and_then(|skew| skew_to_report(skew, self.reported));
        let (phase, problem) = match set {
            true => (ClockPhase::Set, self.reported.map(skew_problem)),
            false => (ClockPhase::Unset, Some(unset_problem(clock))),
        };
        self.reporter.report_with(phase, problem, |details| {
            details.skew_seconds = skew.map(Skew::whole_seconds);
        });
        set
    }
}

/// Returns the skew to report if it is serious: the one reported before unless it has changed noticeably.
fn skew_to_report(skew: Skew, reported: Option<Skew>) -> Option<Skew> {
    let limit = match reported {
        None => SERIOUS_SKEW,
        Some(_) => SERIOUS_SKEW - HYSTERESIS,
    };
    if skew.size() <= limit {
        return None;
    }
    reported
        .filter(|reported| skew.distance(*reported) < MIN_CHANGE)
        .or(Some(skew))
}

/// Returns the problem of a clock that is far from AWS's.
pub fn skew_problem(skew: Skew) -> Problem {
    Problem::configuration(format!(
        "this machine's clock is {skew}; AWS refuses what programs sign by it"
    ))
    .next("synchronise the time: timedatectl tells whether a time server is reached")
    .about(Event::ClockSkewed)
}

fn unset_problem(clock: &dyn Clock) -> Problem {
    let message = format!(
        "the clock shows {}, which is before this program was built ({}); TLS waits until it is set",
        rfc3339(clock.wall()).split('T').next().unwrap_or_default(),
        rfc3339(build_date()).split('T').next().unwrap_or_default()
    );
    Problem::wait(message).next("check the time synchronisation: timedatectl")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::manual::ManualClock;
    use crate::status::StatusHub;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_becomes_plausible_by_running_counts_as_a_step() {
        let clock = ManualClock::at(60);
        let reporter = StatusHub::new(clock.clone()).reporter("clock", ClockPhase::Unset, ClockDetails::default());
        let mut part = reporter.watch();
        let (steps, mut stepped) = watch::channel(0);
        tokio::spawn(run(clock.clone(), reporter, steps));
        let unset = part.wait_for(|part| part.problem.is_some()).await.unwrap().clone();
        assert_eq!(unset.phase, ClockPhase::Unset);
        assert!(unset.problem.unwrap().message.contains("1970-01-01"));

        clock.step_to(build_date());
        let soon = tokio::time::timeout(2 * CHECK_INTERVAL, stepped.changed());
        soon.await.unwrap().unwrap();
        assert_eq!(part.borrow_and_update().phase, ClockPhase::Set);
        assert_eq!(*stepped.borrow(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn promise_14_a_measurement_is_reported_as_it_comes() {
        let clock = ManualClock::at(1_800_000_000);
        let reporter = StatusHub::new(clock.clone()).reporter("clock", ClockPhase::Unset, ClockDetails::default());
        let mut part = reporter.watch();
        tokio::spawn(run(clock.clone(), reporter, watch::channel(0).0));
        let first = part
            .wait_for(|part| part.phase == ClockPhase::Set)
            .await
            .unwrap()
            .clone();
        assert_eq!((first.problem, first.details.skew_seconds), (None, None));
        for (seconds, words) in [
            (0, None),
            (299, None),
            (-299, None),
            (1200, Some("20 min ahead of AWS's")),
            (-1200, Some("20 min behind AWS's")),
            (-2 * 86_400, Some("2 days behind AWS's")),
            (3, None),
        ] {
            clock.take_over(Skew::from_seconds(seconds));
            let reported = part.wait_for(|part| part.details.skew_seconds == Some(seconds)).await;
            let problem = reported.unwrap().problem.clone();
            match words {
                None => assert_eq!(problem, None, "{seconds}"),
                Some(words) => assert!(problem.unwrap().message.contains(words), "{seconds}"),
            }
        }
    }

    #[test]
    fn a_skew_near_the_limit_does_not_flap() {
        // Consecutive skews, and the skew that is reported after each of them.
        let mut reported = None;
        for (seconds, expected) in [
            (300, None),
            (301, Some(301)),
            (299, Some(301)),
            (271, Some(301)),
            (270, None),
            (300, None),
            (-301, Some(-301)),
            (-280, Some(-301)),
            (-360, Some(-301)),
            (-362, Some(-362)),
            (1200, Some(1200)),
            (1259, Some(1200)),
            (1260, Some(1260)),
            (0, None),
        ] {
            reported = skew_to_report(Skew::from_seconds(seconds), reported);
            assert_eq!(reported.map(Skew::whole_seconds), expected, "{seconds}");
        }
    }
}
