//! The keeper with time in the test's hands: tokio's clock is paused, the provider is a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::time::advance;

use super::*;
use crate::clock::Clock;
use crate::clock::manual::ManualClock;
use crate::credentials::Shelf;
use crate::problem::Problem;
use crate::status::Desk;

const NOW: u64 = 1_800_000_000; // 2027-01-15T08:00:00Z
const HOUR: u64 = 3600;

/// Answers as the test says, when the test says it.
struct Script {
    answers: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<Credentials, Failure>>>,
    asked: mpsc::UnboundedSender<(Instant, u32)>,
    under_way: Arc<AtomicUsize>,
}

impl Source for Script {
    type Identity = u32;

    async fn fetch(&self, _: &str, identity: &u32) -> Result<Credentials, Failure> {
        assert_eq!(self.under_way.fetch_add(1, Ordering::Relaxed), 0, "single flight");
        let _ = self.asked.send((Instant::now(), *identity));
        let answer = self.answers.lock().await.recv().await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        answer.unwrap_or_else(|| Err(Failure::Transient(Problem::wait("the script has ended"))))
    }
}

struct Rig {
    clock: Arc<ManualClock>,
    shelf: Shelf,
    answers: mpsc::UnboundedSender<Result<Credentials, Failure>>,
    asked: mpsc::UnboundedReceiver<(Instant, u32)>,
    steps: watch::Sender<u64>,
    identity: watch::Sender<Option<u32>>,
}

impl Rig {
    fn new() -> Self {
        let clock = ManualClock::at(NOW);
        let desk = Desk::new(clock.clone());
        let (shelf, mut reporters) = Shelf::new(["telemetry"], None, &desk);
        let (answers, script) = mpsc::unbounded_channel();
        let (asks, asked) = mpsc::unbounded_channel();
        let (steps, identity) = (watch::Sender::new(0), watch::Sender::new(Some(1)));
        let source = Script {
            answers: tokio::sync::Mutex::new(script),
            asked: asks,
            under_way: Arc::default(),
        };
        let cues = Cues {
            clock: clock.clone(),
            steps: steps.subscribe(),
            identity: identity.subscribe(),
        };
        let keeper = Keeper::new(source, cues, reporters.remove(0), fastrand::Rng::with_seed(9));
        tokio::spawn(keeper.run());
        Self {
            clock,
            shelf,
            answers,
            asked,
            steps,
            identity,
        }
    }

    /// Waits for the next request, however long that takes, and says who asked how long after `since`.
    async fn asked_after(&mut self, since: Instant) -> (Duration, u32) {
        let (at, identity) = self.asked.recv().await.unwrap();
        (at.duration_since(since), identity)
    }

    fn answer(&self, answer: Result<Credentials, Failure>) {
        self.answers.send(answer).unwrap();
    }

    fn good(&self) -> Result<Credentials, Failure> {
        let expiration = self.clock.wall() + Duration::from_secs(HOUR);
        Ok(Credentials::received(
            "ASIA1",
            &"secret".into(),
            &"token".into(),
            expiration,
            &*self.clock,
        ))
    }

    /// What a caller finds: the phase, whether it is given credentials, and the problem's words.
    fn found(&self) -> (AliasPhase, bool, String) {
        let part = self.shelf.get("telemetry", &*self.clock).unwrap();
        let given = part.usable(&*self.clock).is_some();
        (
            part.phase,
            given,
            part.problem.map_or_else(String::new, |problem| problem.message),
        )
    }
}

fn seconds(range: std::ops::RangeInclusive<u64>, wait: Duration) -> bool {
    range.contains(&wait.as_secs())
}

#[tokio::test(start_paused = true)]
async fn promise_3_a_failed_refresh_leaves_good_credentials_where_they_are() {
    let mut rig = Rig::new();
    let start = Instant::now();
    rig.answer(rig.good());
    assert_eq!(rig.asked_after(start).await, (Duration::ZERO, 1));
    let (wait, _) = rig.asked_after(start).await;
    assert!(
        seconds(1620..=1980, wait),
        "half of an hour, a tenth sooner or later: {wait:?}"
    );
    rig.clock.pass(wait);
    let failures = [
        Failure::Transient(Problem::wait("AWS answered 500")),
        Failure::Refused(Problem::configuration("AWS answered 403")),
    ];
    for failure in failures {
        let words = failure.problem().message.clone();
        rig.answer(Err(failure));
        rig.asked_after(start).await;
        assert_eq!(rig.found(), (AliasPhase::Valid, true, words));
    }
    rig.clock.pass(Duration::from_secs(HOUR));
    let (phase, given, _) = rig.found();
    assert_eq!(
        (phase, given),
        (AliasPhase::Failing, false),
        "until their end, not beyond"
    );
    rig.answer(rig.good());
    rig.asked_after(start).await;
    assert_eq!(rig.found(), (AliasPhase::Valid, true, String::new()));
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_by_their_class() {
    let mut rig = Rig::new();
    let start = Instant::now();
    rig.asked_after(start).await;
    for (failure, range) in [
        (Failure::Transient(Problem::wait("500")), 0..=2),
        (Failure::Refused(Problem::configuration("403")), 108..=132),
        (Failure::Refused(Problem::configuration("403")), 216..=264),
    ] {
        let failed = Instant::now();
        rig.answer(Err(failure));
        let (wait, _) = rig.asked_after(failed).await;
        assert!(seconds(range.clone(), wait), "{wait:?} is not in {range:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_step_or_a_new_identity_asks_at_once_but_never_more_than_once_in_ten_seconds() {
    let mut rig = Rig::new();
    let start = Instant::now();
    rig.answer(rig.good());
    rig.asked_after(start).await;
    advance(Duration::from_secs(60)).await;
    let stepped = Instant::now();
    rig.clock
        .step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + HOUR));
    rig.steps.send_modify(|count| *count += 1);
    assert_eq!(rig.asked_after(stepped).await, (Duration::ZERO, 1), "at once");
    rig.answer(rig.good());
    rig.steps.send_modify(|count| *count += 1);
    assert_eq!(rig.asked_after(stepped).await, (LEAST_GAP, 1), "but not every second");
    rig.answer(rig.good());
    advance(Duration::from_secs(60)).await;
    let changed = Instant::now();
    rig.identity.send_replace(Some(2));
    assert_eq!(rig.asked_after(changed).await, (Duration::ZERO, 2));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_before_aws_knows_the_gateway() {
    let mut rig = Rig::new();
    rig.answer(rig.good());
    rig.asked_after(Instant::now()).await;
    rig.identity.send_replace(None);
    advance(Duration::from_secs(HOUR)).await;
    assert!(rig.asked.try_recv().is_err(), "AWS has forgotten this gateway");
    rig.identity.send_replace(Some(2));
    assert_eq!(rig.asked.recv().await.map(|(_, identity)| identity), Some(2));
}
