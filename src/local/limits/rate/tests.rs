use super::*;
use crate::clock::manual::ManualClock;

#[test]
fn a_loop_is_delayed_and_a_crowd_is_rejected() {
    let clock = ManualClock::at(1_800_000_000);
    let limiter = RateLimiter::new(clock.clone());
    let ask = |uid| limiter.decide(Bucket::User(uid), 1, REQUESTS);
    for _ in 0..BURST {
        assert_eq!(ask(1), Decision::Accept(Duration::ZERO));
    }
    let milliseconds = Duration::from_millis;
    for number in 1..=50 {
        assert_eq!(
            ask(1),
            Decision::Accept(milliseconds(2 * number)),
            "each is delayed a little longer"
        );
    }
    assert_eq!(ask(1), Decision::Reject(milliseconds(100)));
    assert_eq!(
        ask(1),
        Decision::Reject(milliseconds(102)),
        "rejections are spread as well"
    );
    assert_eq!(ask(2), Decision::Accept(Duration::ZERO), "another user notices nothing");
    assert!(limiter.admit_unnamed(&Origin::Unnamed).is_ok() && limiter.admit_unnamed(&Origin::WithoutToken).is_ok());
    clock.pass(milliseconds(2));
    assert_eq!(ask(1), Decision::Accept(milliseconds(100)));
    clock.pass(Duration::from_secs(3600));
    for _ in 0..BURST {
        assert_eq!(
            ask(1),
            Decision::Accept(Duration::ZERO),
            "idle time is credited up to a burst"
        );
    }
    assert_eq!(ask(1), Decision::Accept(milliseconds(2)), "and no further");
}

#[test]
fn connections_are_limited_by_user_and_unnamed_users_are_one() {
    let clock = ManualClock::at(1_800_000_000);
    let limiter = RateLimiter::new(clock.clone());
    let accepted = |origin: &dyn Fn(u32) -> Origin| {
        (0..10_000)
            .filter(|number| limiter.admits_connection(&origin(*number)))
            .count()
    };
    let burst = usize::try_from(CONNECTIONS.burst).unwrap();
    assert_eq!(accepted(&|_| Origin::User(1)), burst);
    assert_eq!(accepted(&|_| Origin::User(2)), burst, "another user notices nothing");
    assert_eq!(accepted(&|_| Origin::Unnamed), burst, "however many users there are");
    for unlimited in [Origin::Trusted, Origin::WithoutToken] {
        assert_eq!(accepted(&|_| unlimited.clone()), 10_000, "{unlimited:?}");
    }
    clock.pass(Duration::from_millis(10));
    assert_eq!(
        accepted(&|_| Origin::User(1)),
        10,
        "a flood is accepted at the rate, and not locked out"
    );
}

#[test]
fn unnamed_users_are_rejected_at_once_and_costly_work_is_charged() {
    let clock = ManualClock::at(1_800_000_000);
    let limiter = RateLimiter::new(clock.clone());
    let accepted = (0..10_000)
        .filter(|_| limiter.admit_unnamed(&Origin::Unnamed).is_ok())
        .count();
    assert_eq!(accepted, usize::try_from(BURST + 50).unwrap());
    assert!(limiter.admit_unnamed(&Origin::WithoutToken).is_ok(), "another listener");
    let charge = |cost| limiter.decide(Bucket::User(1), cost, REQUESTS);
    for _ in 0..10 {
        assert_eq!(charge(10), Decision::Accept(Duration::ZERO));
    }
    assert_eq!(
        charge(10),
        Decision::Accept(Duration::from_millis(20)),
        "it has used up its burst"
    );
    assert_eq!(charge(1), Decision::Accept(Duration::from_millis(22)));
}

#[test]
fn the_number_of_buckets_is_bounded() {
    let clock = ManualClock::at(1_800_000_000);
    let limiter = RateLimiter::new(clock.clone());
    for uid in 0..10 * u32::try_from(MAX_BUCKETS).unwrap() {
        clock.pass(Duration::from_micros(10));
        limiter.decide(Bucket::User(uid), 1, REQUESTS);
        assert!(limiter.schedules.borrow().len() <= MAX_BUCKETS);
    }
}
