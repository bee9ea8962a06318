//! A wall clock that is wrong by minutes. AWS's clock is moved instead, which is the same for the gateway.

use std::time::{Duration, SystemTime};

use cloudlet::switches::{Date, Lifetime};
use rig::wait;
use serde_json::Value;

use crate::check::check;
use crate::command::{client, contains_all, run};
use crate::dashboard::Dashboard;
use crate::registry::start_registered;
use crate::support::{Gateway, SOON, World};

/// Time limit for replacing something that lives slightly longer than a minute several times.
const PATIENCE: Duration = Duration::from_secs(300);

/// Creates a world whose gateway has a clock that is this many seconds ahead of AWS's, with credentials of this lifetime in seconds.
fn world(ahead: i64, lifetime: i64) -> World {
    let mut world = World::new();
    world.cloud.switches().set(|switches| {
        switches.clock_ahead = -ahead;
        switches.credentials.lifetime = Lifetime::Seconds(lifetime);
    });
    start_registered(&mut world);
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world
}

/// Returns AWS's time, if the gateway's clock is this many seconds ahead of it.
fn aws_now(ahead: i64) -> SystemTime {
    let by = Duration::from_secs(ahead.unsigned_abs());
    match ahead < 0 {
        true => SystemTime::now() + by,
        false => SystemTime::now() - by,
    }
}

fn seconds_between(earlier: SystemTime, later: SystemTime) -> i64 {
    match later.duration_since(earlier) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap(),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap(),
    }
}

fn time(value: &Value) -> SystemTime {
    humantime::parse_rfc3339(value.as_str().unwrap()).unwrap()
}

/// Returns the credentials that a program gets now.
fn handed(gateway: &Gateway) -> Value {
    let answer = gateway.credentials();
    assert_eq!(answer.status, 200, "{}\n{}", gateway.status(), gateway.log());
    answer.json().unwrap()
}

#[test]
fn promise_14_a_clock_20_min_off_costs_nothing() {
    for ahead in [1200, -1200] {
        // AWS's minimum lifetime: by the fast clock the credentials have expired before they arrive.
        let world = world(ahead, 900);
        let gateway = &world.gateway;
        let credentials = handed(gateway);
        let known = world
            .cloud
            .access_keys()
            .get(credentials["AccessKeyId"].as_str().unwrap());
        let end = known.unwrap().expires.unwrap();
        assert!(end > aws_now(ahead), "{ahead}: expired credentials");
        let told = time(&credentials["Expiration"]);
        assert!(told <= end && told > aws_now(ahead), "{ahead}: {credentials:?}");
        let next = gateway.wait_for("role_aliases.0.next_refresh", Value::is_string);
        let next = seconds_between(SystemTime::now(), time(&next));
        assert!((0..840).contains(&next), "{ahead}: {next}");

        let status = gateway.status();
        let skew = status["clock"]["skew_seconds"].as_i64().unwrap();
        assert!((skew - ahead).abs() < 60, "{ahead}: {skew}");
        let direction = if ahead < 0 { "behind" } else { "ahead of" };
        let words = format!("this machine's clock is 20 min {direction} AWS's");
        gateway.wait_for_words("clock.problem.message", &words);
        assert_eq!(status["state"], "attention");
        let page = String::from_utf8(gateway.get("/metrics").body).unwrap();
        let sample = page
            .lines()
            .find_map(|line| line.strip_prefix("gatepost_clock_skew_seconds "));
        let sample: f64 = sample.unwrap().parse().unwrap();
        assert!(
            (sample - f64::from(i32::try_from(ahead).unwrap())).abs() < 60.0,
            "{sample}"
        );
        assert!(gateway.log().contains(&words));

        let (code, out, _) = run(&mut check(gateway, &world.cloud, &["--json"]));
        let checked: Value = serde_json::from_str(&out).unwrap();
        contains_all(&out, &[&words, "assumed-role/telemetry/"]);
        assert_eq!(code, 78, "{checked:#}");
        let (_, out, _) = run(&mut client(gateway, &["status"]));
        contains_all(&out, &[&words]);
    }
}

#[test]
fn promise_14_no_program_is_ever_handed_an_expired_set() {
    let off: Vec<_> = [1200_i64, -1200]
        .into_iter()
        .map(|ahead| {
            std::thread::spawn(move || {
                let world = world(ahead, 75);
                let first = handed(&world.gateway)["AccessKeyId"].as_str().unwrap().to_owned();
                let keys = world.cloud.access_keys();
                let end = keys.get(&first).unwrap().expires.unwrap();
                wait::until(PATIENCE, "the end of the first set", || {
                    let id = handed(&world.gateway)["AccessKeyId"].as_str().unwrap().to_owned();
                    let now = aws_now(ahead);
                    assert!(keys.get(&id).unwrap().expires.unwrap() > now, "{ahead}: expired");
                    now > end
                })
                .unwrap();
            })
        })
        .collect();
    for one in off {
        one.join().unwrap();
    }
}

#[test]
fn promise_14_signatures_are_dated_by_awss_clock() {
    for ahead in [1200, -1200] {
        let world = world(ahead, 900);
        let url = format!(
            "{}/?Action=GetCallerIdentity&Version=2011-06-15",
            world.cloud.api_endpoint()
        );
        let sign = [
            "sign",
            "--service",
            "sts",
            "--region",
            "us-east-1",
            "--expires",
            "60",
            &url,
        ];
        let (code, presigned, reason) = run(&mut client(&world.gateway, &sign));
        assert_eq!(code, 0, "{reason}");
        let mut curl = rig::command::command("curl");
        let body = rig::command::run(curl.args(["-s", presigned.trim()]), "curl").unwrap();
        contains_all(&body, &["assumed-role/telemetry/"]);
    }
}

#[test]
fn the_health_report_says_how_wrong_the_clock_is() {
    let mut world = World::new();
    world.cloud.switches().set(|switches| switches.clock_ahead = 1200);
    let dashboard = Dashboard::start(&world);
    start_registered(&mut world);
    wait::until(SOON, "a report with the skew", || {
        let reports = dashboard.presence();
        let report = reports.iter().find(|report| report["clock_skew_seconds"].is_i64());
        report.is_some_and(|report| report["problems"].to_string().contains("behind AWS's"))
    })
    .unwrap();
}

#[test]
fn a_response_with_an_unusable_date_is_used_without_it() {
    let now = "Mon, 30 Nov 2026 08:00:00 GMT".to_owned();
    for fields in [
        vec![],
        vec![String::new()],
        vec!["soon".to_owned()],
        vec!["Thu, 01 Jan 1970 00:00:00 GMT".to_owned()],
        vec!["Fri, 31 Dec 9999 23:59:59 GMT".to_owned()],
        vec![now.clone(), "Mon, 30 Nov 2026 09:00:00 GMT".to_owned()],
    ] {
        let mut world = World::new();
        world
            .cloud
            .switches()
            .set(|switches| switches.credentials.date = Date::Fields(fields.clone()));
        start_registered(&mut world);
        world.gateway.wait_online();
        assert!(world.gateway.status()["clock"]["skew_seconds"].is_null(), "{fields:?}");
    }
}
