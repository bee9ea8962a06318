use super::*;
use crate::clock::manual::ManualClock;

pub(in crate::credentials) const NOW: u64 = 1_800_000_000;

pub(in crate::credentials) fn set(lifetime: u64, clock: &dyn Clock) -> Credentials {
    let expiration = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + lifetime);
    Credentials::received("ASIAEXAMPLE", &"secret".into(), &"token".into(), expiration, clock).for_thing("gw-1")
}

#[test]
fn one_body_serves_credential_process_and_container_providers() {
    let clock = ManualClock::at(NOW);
    let body = set(3600, &*clock).body(&*clock).expose();
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        answer,
        serde_json::json!({
            "Version": 1, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "secret",
            "SessionToken": "token", "Token": "token", "Expiration": "2027-01-15T09:00:00Z"
        })
    );
    assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
}

fn shown_expiration(credentials: &Credentials, clock: &dyn Clock) -> SystemTime {
    let answer: serde_json::Value = serde_json::from_slice(&credentials.body(clock).expose()).unwrap();
    humantime::parse_rfc3339(answer["Expiration"].as_str().unwrap()).unwrap()
}

#[test]
fn promise_14_a_wrong_clock_neither_lengthens_nor_shortens_a_life() {
    // Seconds that the clock is ahead, the lifetime by AWS's time, and how much earlier than AWS's the shown expiration is.
    for (ahead, lifetime, earlier) in [
        (0, 3600, 0),
        (3, 3600, 0),
        (-3, 3600, 0),
        (-6, 3600, 6),
        (240, 3600, 0),
        (-240, 3600, 240),
        (1200, 3600, 0),
        (-1200, 3600, 1200),
        (1200, 900, 0),
        (-1200, 900, 840),
        (-86_400, 43_200, 43_140),
        (86_400, 900, 0),
    ] {
        let clock = ManualClock::ahead_of_aws(NOW, ahead);
        let expiration = clock.aws_now() + Duration::from_secs(lifetime);
        let credentials = Credentials::received("ASIA1", &"s".into(), &"t".into(), expiration, &*clock);
        assert_eq!(credentials.remaining(&*clock).as_secs(), lifetime, "{ahead}");
        assert_eq!(
            shown_expiration(&credentials, &*clock),
            expiration - Duration::from_secs(earlier),
            "{ahead}"
        );
        let by_local_clock = shown_expiration(&credentials, &*clock)
            .duration_since(clock.wall())
            .unwrap_or_default();
        let margin = Duration::from_secs(lifetime) + USABLE_MARGIN + Duration::from_secs(86_400);
        assert!(by_local_clock <= margin, "{ahead}");
        clock.pass(Duration::from_secs(lifetime - 61));
        assert!(credentials.usable(&*clock), "{ahead}");
        clock.pass(Duration::from_secs(1));
        assert!(!credentials.usable(&*clock), "{ahead}");
    }
}

#[test]
fn setting_the_clock_right_changes_the_shown_expiration_but_not_the_lifetime() {
    for ahead in [-1200, 1200] {
        let clock = ManualClock::ahead_of_aws(NOW, ahead);
        let expiration = clock.aws_now() + Duration::from_secs(3600);
        let credentials = Credentials::received("ASIA1", &"s".into(), &"t".into(), expiration, &*clock);
        clock.pass(Duration::from_secs(10));
        clock.step_to(clock.aws_now());
        assert_eq!(credentials.remaining(&*clock).as_secs(), 3590, "{ahead}");
        assert_eq!(shown_expiration(&credentials, &*clock), expiration, "{ahead}");
    }
}

#[test]
fn a_paused_machine_does_not_extend_the_lifetime() {
    let clock = ManualClock::ahead_of_aws(NOW, 0);
    let expiration = clock.aws_now() + Duration::from_secs(3600);
    let credentials = Credentials::received("ASIA1", &"s".into(), &"t".into(), expiration, &*clock);
    clock.step_to(clock.wall() + Duration::from_secs(3000));
    assert_eq!(credentials.remaining(&*clock).as_secs(), 600);
    clock.step_to(clock.wall() + Duration::from_secs(600));
    assert!(!credentials.usable(&*clock));
}

#[test]
fn a_set_expires_by_the_earlier_of_both_clocks() {
    let hour = Duration::from_secs(3600);
    let clock = ManualClock::at(NOW);
    let credentials = set(3600, &*clock);
    assert!(credentials.usable(&*clock));
    clock.step_to(clock.wall() - hour);
    assert_eq!(
        credentials.remaining(&*clock),
        hour,
        "a wall clock set back does not lengthen a life"
    );
    clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + 3541));
    assert!(!credentials.usable(&*clock), "a wall clock set forward ends it");
    clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
    clock.pass(Duration::from_secs(3541));
    clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
    assert!(
        !credentials.usable(&*clock),
        "time that passed counts even if the wall clock stood still"
    );
}
