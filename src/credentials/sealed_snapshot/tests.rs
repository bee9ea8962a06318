use super::*;
use crate::clock::manual::ManualClock;
use crate::credentials::set::tests::{NOW, set};

const ENDPOINT: &str = "c.example:443";

fn current_run<'a>() -> CurrentRun<'a> {
    CurrentRun {
        endpoint: ENDPOINT.to_owned(),
        role_aliases: vec!["telemetry", "video"],
        thing_name: Some("gw-1".to_owned()),
    }
}

fn entry(role_alias: &str, lifetime: u64, clock: &dyn Clock) -> Entry {
    Entry {
        role_alias: role_alias.to_owned(),
        refreshed: Some("2027-01-15T08:00:00Z".to_owned()),
        credentials: set(lifetime, clock),
    }
}

/// Seals and unseals sets; returns the role alias of each, or the reason why it is refused.
fn seal_and_unseal(entries: &[Entry], made: &dyn Clock, read: &dyn Clock) -> Vec<String> {
    let file = seal(entries, ENDPOINT, made).unwrap();
    let sets = unseal(&file, &current_run(), read).unwrap();
    sets.into_iter()
        .map(|set| set.map_or_else(|why| why, |entry| entry.role_alias))
        .collect()
}

#[test]
fn a_set_is_restored_and_keeps_ageing_by_both_clocks() {
    let clock = ManualClock::at(NOW);
    let before = entry("telemetry", 3600, &*clock);
    let file = seal(std::slice::from_ref(&before), ENDPOINT, &*clock).unwrap();
    clock.pass(Duration::from_secs(600));
    // Setting the clock back by a day must not extend the lifetime.
    clock.step_to(clock.wall() - Duration::from_secs(24 * 3600));
    let after = unseal(&file, &current_run(), &*clock).unwrap().remove(0).unwrap();
    assert_eq!(
        after.credentials.body(&*clock).expose(),
        before.credentials.body(&*clock).expose()
    );
    assert_eq!(after.credentials.keys().session_token(), "token");
    assert_eq!(after.credentials.thing_name(), "gw-1");
    assert_eq!(after.refreshed, before.refreshed);
    assert_eq!(after.credentials.remaining(&*clock), Duration::from_secs(3000));
}

#[test]
fn each_set_is_checked_on_its_own() {
    let clock = ManualClock::at(NOW);
    let mut other = entry("video", 3600, &*clock);
    other.credentials = other.credentials.for_thing("gw-2");
    let claims_too_much = entry("video", 13 * 3600, &*clock);
    let empty = Credentials::received(
        "",
        &"s".into(),
        &"t".into(),
        clock.wall() + Duration::from_secs(900),
        &*clock,
    );
    let empty = Entry {
        credentials: empty.for_thing("gw-1"),
        ..entry("video", 900, &*clock)
    };
    let entries = [
        entry("gone", 3600, &*clock),
        other,
        claims_too_much,
        empty,
        entry("video", 60, &*clock),
        entry("telemetry", 61, &*clock),
    ];
    let outcome = seal_and_unseal(&entries, &*clock, &*clock);
    let expected = [
        "role alias gone: it is not configured any more",
        "role alias video: its credentials belong to thing gw-2, and this is gw-1",
        "role alias video: its credentials claim a longer lifetime than AWS allows",
        "role alias video: a part of its credentials is empty",
        "role alias video: its credentials are valid only until 2027-01-15T08:01:00Z",
        "telemetry",
    ];
    assert_eq!(outcome, expected);
}

#[test]
fn expired_by_either_clock_is_expired() {
    let made = ManualClock::at(NOW);
    for (boot, wall) in [(3600, 0), (0, 3600), (3600, 3600)] {
        let read = ManualClock::at(NOW);
        read.pass(Duration::from_secs(boot));
        read.step_to(std::time::UNIX_EPOCH + Duration::from_secs(NOW + wall));
        let outcome = seal_and_unseal(&[entry("telemetry", 3600, &*made)], &*made, &*read);
        assert!(
            outcome[0].contains("are valid only until"),
            "{boot} {wall}: {outcome:?}"
        );
    }
}

#[test]
fn a_file_of_another_boot_or_endpoint_is_refused_as_a_whole() {
    let made = ManualClock::at(NOW);
    made.pass(Duration::from_secs(5));
    let file = seal(&[entry("telemetry", 3600, &*made)], ENDPOINT, &*made).unwrap();
    let rebooted = ManualClock::at(NOW + 5);
    let refusal = unseal(&file, &current_run(), &*rebooted).unwrap_err();
    assert_eq!(refusal, "it was made before this machine was booted");
    let elsewhere = CurrentRun {
        endpoint: "d.example:443".to_owned(),
        ..current_run()
    };
    let refusal = unseal(&file, &elsewhere, &*made).unwrap_err();
    assert_eq!(
        refusal,
        "its credentials came from c.example:443, and aws.credentials-endpoint is d.example:443"
    );
}

#[test]
fn the_buffer_is_large_enough_from_the_start() {
    let clock = ManualClock::at(NOW);
    let mut hard = entry("\u{1}", 3600, &*clock);
    hard.credentials = Credentials::received(
        "\u{1}",
        &"\u{1}".repeat(5000).into(),
        &"\u{1}".repeat(9000).into(),
        clock.wall(),
        &*clock,
    );
    let written = WrittenSet::of(&hard);
    assert!(serde_json::to_vec(&written).unwrap().len() <= written.max_size());
}

#[test]
fn promise_14_the_next_run_knows_how_wrong_the_clock_is() {
    for ahead in [-1200, 1200] {
        let clock = ManualClock::ahead_of_aws(NOW, ahead);
        let expiration = clock.aws_now() + Duration::from_secs(900);
        let received = Credentials::received("ASIA1", &"s".into(), &"t".into(), expiration, &*clock);
        let before = Entry {
            credentials: received.for_thing("gw-1"),
            ..entry("telemetry", 900, &*clock)
        };
        let file = seal(&[before], ENDPOINT, &*clock).unwrap();
        // The next run's clock: the same machine's, without a measurement of its own.
        let next = ManualClock::at(NOW);
        next.pass(Duration::from_secs(300));
        let after = unseal(&file, &current_run(), &*next).unwrap().remove(0).unwrap();
        assert_eq!(after.credentials.remaining(&*next), Duration::from_secs(600), "{ahead}");
        assert_eq!(next.skew().unwrap().whole_seconds(), ahead);
    }
}

#[test]
fn a_measurement_that_cannot_be_one_of_this_boots_is_not_taken() {
    let sealed_with = |aws_time: &str| {
        let text = format!(r#"{{"version":1,"endpoint":"{ENDPOINT}","sealed_at_boot_ms":0{aws_time},"sets":[]}}"#);
        sealed::seal(c"test", text.as_bytes()).unwrap()
    };
    for (aws_time, taken) in [
        ("", false),
        (r#","aws_time":null"#, false),
        (r#","aws_time":{"unix_ms":1800000000000,"boot_ms":0,"skew_ms":0}"#, true),
        (
            r#","aws_time":{"unix_ms":1800000000000,"boot_ms":1,"skew_ms":0}"#,
            false,
        ),
        (r#","aws_time":{"unix_ms":0,"boot_ms":0,"skew_ms":0}"#, false),
        (
            r#","aws_time":{"unix_ms":18446744073709551615,"boot_ms":0,"skew_ms":-9223372036854775808}"#,
            true,
        ),
    ] {
        let clock = ManualClock::at(NOW);
        unseal(sealed_with(aws_time), &current_run(), &*clock).unwrap();
        assert_eq!(clock.aws().last().is_some(), taken, "{aws_time}");
        let _ = (clock.skew(), clock.latest_aws_now(), clock.aws_now());
    }
    let clock = ManualClock::ahead_of_aws(NOW, 5);
    unseal(
        sealed_with(r#","aws_time":{"unix_ms":1800000000000,"boot_ms":0,"skew_ms":0}"#),
        &current_run(),
        &*clock,
    )
    .unwrap();
    assert_eq!(clock.skew().unwrap().whole_seconds(), 5, "this run's own is no older");
}
