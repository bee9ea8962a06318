//! Says whether the wall clock is set and how far it is from AWS's, and tells the rest when somebody sets it.

use std::time::Duration;

use log::Level;
use tokio::sync::watch;

use crate::clock::{Clock, SERIOUS_SKEW, SharedClock, Skew, Steps, build_date, is_set, rfc3339};
use crate::event::{Event, journal};
use crate::problem::Problem;
use crate::status::{ClockDetails, ClockPhase, Reporter};

/// An unset clock also becomes plausible by merely running on; the kernel tells nobody of that.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// A skew that changes by less is no news: measurements differ by a second or two.
const SKEW_NEWS: Duration = Duration::from_secs(60);
/// A problem that is reported stays until the skew is so much below the limit, so that it does not come and go.
const HYSTERESIS: Duration = Duration::from_secs(30);

/// Runs for as long as the daemon does. `steps` counts the times the clock was set.
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
        let look_again = if set { Duration::MAX } else { LOOK_AGAIN };
        tokio::select! {
            stepped = next_step(&mut listener) => match stepped {
                true => {
                    journal!(Level::Info, Event::ClockStep; "clock: the wall clock was set; it is {}", rfc3339(keeper.clock.wall()));
                    // The phase first: who hears of the step reads it.
                    keeper.report();
                    steps.send_modify(|count| *count += 1);
                }
                // Without the timer a step is still met at the next refresh; only "at once" is lost.
                false => listener = None,
            },
            Ok(()) = measured.changed() => {}
            () = tokio::time::sleep(look_again) => if keeper.report() {
                // Nobody was told by the kernel; it is a step all the same.
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

struct Timekeeper {
    clock: SharedClock,
    reporter: Reporter<ClockPhase, ClockDetails>,
    /// The serious skew that is reported, if there is one.
    reported: Option<Skew>,
}

impl Timekeeper {
    /// Reports the clock as it is now; whether it is set.
    fn report(&mut self) -> bool {
        let clock = &*self.clock;
        let set = is_set(clock);
        let skew = clock.skew();
        self.reported = skew.and_then(|skew| news(skew, self.reported));
        let (phase, problem) = match set {
            true => (ClockPhase::Set, self.reported.map(skewed)),
            false => (ClockPhase::Unset, Some(unset(clock))),
        };
        self.reporter.report_with(phase, problem, |details| {
            details.skew_seconds = skew.map(Skew::whole_seconds);
        });
        set
    }
}

/// The skew to report, if it is serious; the one reported before, if that is as good.
fn news(skew: Skew, reported: Option<Skew>) -> Option<Skew> {
    let limit = match reported {
        None => SERIOUS_SKEW,
        Some(_) => SERIOUS_SKEW - HYSTERESIS,
    };
    if skew.size() <= limit {
        return None;
    }
    reported
        .filter(|reported| skew.distance(*reported) < SKEW_NEWS)
        .or(Some(skew))
}

/// The problem of a clock that is far from AWS's.
pub fn skewed(skew: Skew) -> Problem {
    Problem::configuration(format!(
        "this machine's clock is {skew}; AWS refuses what programs sign by it"
    ))
    .next("synchronise the time: timedatectl tells whether a time server is reached")
    .about(Event::ClockSkewed)
}

fn unset(clock: &dyn Clock) -> Problem {
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
    async fn a_clock_that_becomes_plausible_unheard_counts_as_a_step() {
        let clock = ManualClock::at(60);
        let reporter = StatusHub::new(clock.clone()).reporter("clock", ClockPhase::Unset, ClockDetails::default());
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
    fn a_skew_near_the_limit_does_not_come_and_go() {
        // Skews in a row, and whether each of them is another report than the one before.
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
            reported = news(Skew::from_seconds(seconds), reported);
            assert_eq!(reported.map(Skew::whole_seconds), expected, "{seconds}");
        }
    }
}
