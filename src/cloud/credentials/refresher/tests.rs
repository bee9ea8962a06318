//! Tests of the refresher with controlled time: tokio's clock is paused, and the provider is a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use tokio::sync::mpsc;
use tokio::time::advance;

use super::*;
use crate::clock::Clock;
use crate::clock::manual::ManualClock;
use crate::credentials::CredentialCache;
use crate::problem::Problem;
use crate::status::StatusHub;

const NOW: u64 = 1_800_000_000; // 2027-01-15T08:00:00Z
const HOUR: u64 = 3600;

/// A provider whose answers, and when they arrive, are determined by the test.
struct Script {
    answers: tokio::sync::Mutex<mpsc::UnboundedReceiver<Result<Credentials, Failure>>>,
    asked: mpsc::UnboundedSender<(Instant, u32)>,
    under_way: Arc<AtomicUsize>,
}

/// Counts a request that has ended, whether it was answered or cancelled.
struct Leave(Arc<AtomicUsize>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Source for Script {
    type Identity = u32;

    async fn fetch(&self, _: &str, identity: &u32) -> Result<Credentials, Failure> {
        assert_eq!(self.under_way.fetch_add(1, Ordering::Relaxed), 0, "single flight");
        let _leave = Leave(self.under_way.clone());
        let _ = self.asked.send((Instant::now(), *identity));
        let answer = self.answers.lock().await.recv().await;
        answer.unwrap_or_else(|| Err(Failure::Transient(Problem::wait("the script has ended"))))
    }
}

struct Rig {
    clock: Arc<ManualClock>,
    cache: CredentialCache,
    answers: mpsc::UnboundedSender<Result<Credentials, Failure>>,
    asked: mpsc::UnboundedReceiver<(Instant, u32)>,
    steps: watch::Sender<u64>,
    identity: watch::Sender<Option<u32>>,
    accepted: watch::Receiver<Option<(u32, Instant)>>,
    recovery: Recovery,
    retries: Retries,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with_record(true)
    }

    /// Creates a test setup whose alias has, or has not, given credentials in an earlier run.
    fn with_record(has_succeeded: bool) -> Self {
        let clock = ManualClock::at(NOW);
        let hub = StatusHub::new(clock.clone());
        let (cache, mut reporters) = CredentialCache::new(["telemetry"], None, &hub);
        let (answers, script) = mpsc::unbounded_channel();
        let (asks, asked) = mpsc::unbounded_channel();
        let (steps, identity) = (watch::Sender::new(0), watch::Sender::new(Some(1)));
        let source = Script {
            answers: tokio::sync::Mutex::new(script),
            asked: asks,
            under_way: Arc::default(),
        };
        let (accepts, accepted) = watch::channel(None);
        let folder = tempfile::tempdir().unwrap();
        let success = SuccessRecord::load(folder.path().join("role-aliases.json"));
        if has_succeeded {
            success.remember("telemetry");
        }
        let (recovery, retries) = (Recovery::new(), Retries::new());
        let triggers = Triggers {
            clock: clock.clone(),
            steps: steps.subscribe(),
            identity: identity.subscribe(),
            accepted: accepts,
            recovery: recovery.clone(),
            success,
            retries: retries.clone(),
        };
        let refresher = Refresher::new(source, triggers, reporters.remove(0), fastrand::Rng::with_seed(9));
        tokio::spawn(refresher.run());
        Self {
            clock,
            cache,
            answers,
            asked,
            steps,
            identity,
            accepted,
            recovery,
            retries,
            _folder: folder,
        }
    }

    /// Waits for the next request, however long that takes; returns its identity, and its time after `since`.
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

    /// Returns the number of outages in the status.
    fn failures(&self) -> u64 {
        let alias = self.cache.get("telemetry", &*self.clock).unwrap();
        alias.status.details.failures.map_or(0, |failures| failures.times)
    }

    /// Returns the state that a caller sees: the phase, whether there are credentials, and the problem's message.
    fn found(&self) -> (AliasPhase, bool, String) {
        let alias = self.cache.get("telemetry", &*self.clock).unwrap();
        let given = alias.usable(&*self.clock).is_some();
        (
            alias.status.phase,
            given,
            alias.status.problem.map_or_else(String::new, |problem| problem.message),
        )
    }
}

fn seconds(range: std::ops::RangeInclusive<u64>, wait: Duration) -> bool {
    range.contains(&wait.as_secs())
}

#[tokio::test(start_paused = true)]
async fn promise_3_a_failed_refresh_keeps_valid_credentials() {
    let mut rig = Rig::new();
    let start = Instant::now();
    rig.answer(rig.good());
    assert_eq!(rig.asked_after(start).await, (Duration::ZERO, 1));
    let (wait, _) = rig.asked_after(start).await;
    assert!(
        seconds(900..=2664, wait),
        "the first refresh is anywhere in the middle of an hour: {wait:?}"
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

/// An hour without AWS is one outage, whether there are 5 or 500 attempts.
#[tokio::test(start_paused = true)]
async fn an_outage_counts_once_however_often_it_is_tried_again() {
    let mut rig = Rig::new();
    let start = Instant::now();
    rig.asked_after(start).await;
    let mut counted = Vec::new();
    for outage in [3, 1, 6] {
        rig.answer(rig.good());
        rig.asked_after(start).await;
        for attempt in 0..outage {
            let failure = match attempt % 2 {
                0 => Failure::Unreachable(Problem::wait("no route")),
                _ => Failure::Transient(Problem::wait("AWS answered 500")),
            };
            rig.answer(Err(failure));
            rig.asked_after(start).await;
        }
        counted.push(rig.failures());
    }
    assert_eq!(counted, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_by_their_class() {
    let mut rig = Rig::new();
    let start = Instant::now();
    rig.asked_after(start).await;
    for (failure, range) in [
        (Failure::Unreachable(Problem::wait("no route")), 0..=2),
        (Failure::Throttled(Problem::wait("429")), 0..=3),
        (Failure::Transient(Problem::wait("no JSON")), 0..=5),
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
    assert_eq!(
        rig.asked_after(stepped).await,
        (MIN_INTERVAL, 1),
        "but not every second"
    );
    rig.answer(rig.good());
    advance(Duration::from_secs(60)).await;
    let changed = Instant::now();
    rig.identity.send_replace(Some(2));
    assert_eq!(rig.asked_after(changed).await, (Duration::ZERO, 2));
}

#[tokio::test(start_paused = true)]
async fn no_request_is_made_before_aws_has_accepted_the_gateway() {
    let mut rig = Rig::new();
    rig.answer(rig.good());
    rig.asked_after(Instant::now()).await;
    rig.identity.send_replace(None);
    advance(Duration::from_secs(HOUR)).await;
    assert!(rig.asked.try_recv().is_err(), "AWS has forgotten this gateway");
    rig.identity.send_replace(Some(2));
    assert_eq!(rig.asked.recv().await.map(|(_, identity)| identity), Some(2));
}

fn unreachable() -> Failure {
    Failure::Unreachable(Problem::wait("no route"))
}

#[tokio::test(start_paused = true)]
async fn promise_15_who_could_not_reach_aws_is_woken_and_who_was_answered_is_not() {
    // An announcement while a refresher waits after such a failure, and whether it makes a request within two seconds.
    let cases = [
        (unreachable(), true),
        (Failure::Throttled(Problem::wait("429")), false),
        (Failure::Transient(Problem::wait("no JSON")), false),
        (Failure::Refused(Problem::configuration("403")), false),
    ];
    for (failure, is_woken) in cases {
        let mut rig = Rig::new();
        rig.asked_after(Instant::now()).await;
        // Until the backoff is long.
        loop {
            let failed = Instant::now();
            rig.answer(Err(failure.clone()));
            let (waited, _) = tokio::time::timeout(Duration::from_secs(3600), rig.asked_after(failed))
                .await
                .unwrap();
            if waited > Duration::from_secs(40) {
                break;
            }
        }
        let failed = Instant::now();
        rig.answer(Err(failure.clone()));
        advance(Duration::from_millis(10)).await;
        rig.recovery.announce_change();
        let (waited, _) = rig.asked_after(failed).await;
        match is_woken {
            true => assert!(waited <= Duration::from_secs(2), "{failure:?}: {waited:?}"),
            // Full jitter may draw a short wait, but does not with this seed.
            false => assert!(waited > Duration::from_secs(2), "{failure:?}: {waited:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_when_the_network_returns_is_restarted_once() {
    let mut rig = Rig::new();
    let start = Instant::now();
    rig.asked_after(start).await;
    advance(Duration::from_secs(30)).await;
    let back = Instant::now();
    rig.recovery.announce_change();
    let (again, _) = rig.asked_after(back).await;
    assert!(again <= Duration::from_secs(2), "{again:?}");
    for _ in 0..5 {
        advance(Duration::from_secs(10)).await;
        rig.recovery.announce_change();
    }
    advance(Duration::from_secs(10)).await;
    assert!(
        rig.asked.try_recv().is_err(),
        "a network that flaps does not keep it from its end"
    );
    rig.answer(rig.good());
    advance(Duration::from_secs(1)).await;
    assert_eq!(rig.found(), (AliasPhase::Valid, true, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_success_wakes_others_and_proves_the_certificate() {
    let mut rig = Rig::new();
    let mut other = rig.recovery.listen();
    rig.asked_after(Instant::now()).await;
    assert_eq!(*rig.accepted.borrow(), None);
    advance(Duration::from_secs(5)).await;
    rig.answer(rig.good());
    other.wait_for_signal().await;
    let (identity, at) = rig.accepted.borrow().unwrap();
    assert_eq!((identity, at.elapsed().as_secs() <= 2), (1, true));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_never_succeeded_suggests_causes() {
    for has_succeeded in [false, true] {
        let mut rig = Rig::with_record(has_succeeded);
        let mut words = Vec::new();
        for _ in 0..FAILURE_LIMIT + 2 {
            rig.asked_after(Instant::now()).await;
            words.push(rig.found().2);
            rig.answer(Err(unreachable()));
        }
        words.dedup();
        let told = words.iter().any(|words| words.contains("has never succeeded"));
        assert_eq!(told, !has_succeeded, "{words:?}");
        assert!(words.len() <= 3, "each is said once: {words:?}");
    }
}

/// An operator's request causes an attempt at once, but never sooner after the last one than AWS accepts.
#[tokio::test(start_paused = true)]
async fn an_operator_cuts_a_wait_short_and_cannot_hammer() {
    for (answer, age, expected) in [
        // Refused: the next attempt would be 2 min away. An operator's request still keeps 10 s after the last attempt.
        (Some(Failure::Refused(Problem::configuration("no"))), 0, 10),
        (Some(Failure::Refused(Problem::configuration("no"))), 4, 10),
        (Some(Failure::Refused(Problem::configuration("no"))), 30, 30),
        // Valid credentials are refreshed as well, because the caller decides whether that is wanted.
        (None, 0, 10),
        (None, 60, 60),
    ] {
        let mut rig = Rig::new();
        let (_, _) = rig.asked_after(Instant::now()).await;
        let asked = Instant::now();
        let shown = answer.as_ref().map_or("good", |_| "refused");
        let answer = match answer {
            Some(failure) => Err(failure),
            None => rig.good(),
        };
        rig.answer(answer);
        // The refresher receives the answer before anything else.
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_secs(age)).await;
        for _ in 0..5 {
            rig.retries.request(RetryTarget::RoleAlias("telemetry".to_owned()));
            rig.retries.request(RetryTarget::RoleAlias("other".to_owned()));
        }
        let (waited, _) = rig.asked_after(asked).await;
        assert_eq!(waited.as_secs(), expected, "{shown} after {age} s");
        let silent = tokio::time::timeout(Duration::from_secs(60), rig.asked.recv()).await;
        assert!(silent.is_err(), "five requests are one attempt");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_one_part_wakes_no_other() {
    let mut rig = Rig::new();
    rig.asked_after(Instant::now()).await;
    rig.answer(Err(Failure::Refused(Problem::configuration("no"))));
    tokio::task::yield_now().await;
    rig.retries.request(RetryTarget::RoleAlias("other".to_owned()));
    rig.retries.request(RetryTarget::Session);
    let silent = tokio::time::timeout(Duration::from_secs(60), rig.asked.recv()).await;
    assert!(silent.is_err());
}
