//! Temporary credentials: how each failure of the provider is reported, and that no failure removes valid credentials.

mod failures;
mod outage;
mod switch;

use std::time::{Duration, SystemTime};

use cloudlet::RoleAlias;
use cloudlet::switches::Lifetime;
use rig::wait;
use serde_json::Value;

pub use self::failures::NEVER;
use self::failures::{Failure, ROLE};
use self::switch::switch;
use crate::command::{client, run};
use crate::operator::retry::refresh;
use crate::support::{Gateway, SOON, THING, World};

/// Creates a world in which each of these failures has its own role alias; none of them occurs yet.
fn world(failures: &[Failure]) -> World {
    let mut world = World::new();
    for failure in failures {
        world.cloud.add_role_alias(RoleAlias::new(failure.alias, ROLE)).unwrap();
        let table = format!("[[role-alias]]\nname = \"{}\"\n", failure.alias);
        world.gateway.config.push_str(&table);
    }
    world
}

/// Returns an alias's part of the status.
fn alias(gateway: &Gateway, name: &str) -> Value {
    let status = gateway.status();
    let aliases = status["role_aliases"].as_array().cloned().unwrap_or_default();
    let found = aliases.into_iter().find(|alias| alias["name"] == name);
    found.unwrap_or_default()
}

fn wait_for_alias(gateway: &Gateway, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let look = || Some(alias(gateway, name)).filter(|alias| wanted(alias));
    wait::until_some(SOON, what, look)
        .unwrap_or_else(|error| panic!("{name}: {error}\n{:#}\n{}", alias(gateway, name), gateway.log()))
}

fn is_valid(alias: &Value) -> bool {
    alias["phase"] == "valid" && alias["problem"].is_null()
}

fn path(alias: &str) -> String {
    format!("/v1/credentials/{alias}")
}

fn access_key(gateway: &Gateway, alias: &str) -> String {
    let answer = gateway.get(&path(alias));
    assert_eq!(answer.status, 200, "{alias}: {}", String::from_utf8_lossy(&answer.body));
    answer.json().unwrap()["AccessKeyId"].as_str().unwrap().to_owned()
}

/// Returns the time of the next attempt, according to the status.
fn next_attempt(gateway: &Gateway, name: &str) -> SystemTime {
    let next = alias(gateway, name)["next_refresh"].clone();
    humantime::parse_rfc3339(next.as_str().unwrap_or_default()).unwrap()
}

/// Asserts that the error for a caller without credentials, the status and the journal contain the same text.
fn assert_one_wording(gateway: &Gateway, failure: &Failure) {
    let message = |document: &Value| document["message"].as_str().map(str::to_owned);
    // AWS's request ID changes with every attempt, so both are read until no attempt was made in between.
    let look = || {
        let answer = gateway.get(&path(failure.alias));
        let said = answer.json().unwrap();
        let problem = &alias(gateway, failure.alias)["problem"];
        (message(&said) == message(problem) && said["hint"] == problem["next_step"]).then_some((answer, said))
    };
    let (answer, said) = wait::until_some(SOON, "the same words in status and answer", look).unwrap();
    let words = message(&said).unwrap();
    assert!(words.contains(failure.words), "{}: {words}", failure.alias);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("5")),
        "{words}"
    );
    assert_eq!(
        said["hint"].is_string(),
        failure.refused,
        "who can mend it is told how: {said}"
    );
    assert!(
        gateway.log().contains(&words),
        "the journal has other words than: {words}"
    );
}

#[test]
fn promise_8_each_failure_of_opening_is_reported_and_recovers() {
    let failures = failures::all();
    let mut world = world(&failures);
    for failure in &failures {
        failure.begin(&world.cloud);
    }
    let begun = SystemTime::now();
    world.gateway.start();
    world.certify();
    world
        .gateway
        .wait_for("provisioning.phase", |phase| phase == "provisioned");
    for failure in &failures {
        wait_for_alias(&world.gateway, failure.alias, "the failure", |alias| {
            alias["phase"] == "failing" && alias["problem"]["remedy"] == failure.remedy()
        });
        assert_one_wording(&world.gateway, failure);
    }
    for failure in failures.iter().filter(|failure| failure.refused) {
        let next = next_attempt(&world.gateway, failure.alias);
        assert!(
            next > begun + Duration::from_secs(60),
            "{}: a refusal is asked about slowly",
            failure.alias
        );
        assert_eq!(world.cloud.credential_requests(failure.alias), 1, "{}", failure.alias);
    }
    let telemetry = alias(&world.gateway, "telemetry");
    assert!(
        is_valid(&telemetry),
        "promise 6: the others' failures are not its: {telemetry}"
    );
    assert_eq!(world.gateway.status()["state"], "attention");

    for failure in &failures {
        failure.end(&world.cloud);
    }
    for failure in failures.iter().filter(|failure| !failure.refused) {
        wait_for_alias(&world.gateway, failure.alias, "healing by itself", is_valid);
        assert!(world.cloud.credential_requests(failure.alias) > 1, "{}", failure.alias);
        access_key(&world.gateway, failure.alias);
    }
    // Somebody at AWS must fix the cause of a refusal; then a restart shortens the wait.
    world.gateway.stop();
    world.gateway.start();
    for failure in &failures {
        wait_for_alias(&world.gateway, failure.alias, "credentials after the restart", is_valid);
    }
    world.gateway.wait_online();
}

#[test]
fn promise_3_failed_refreshes_keep_valid_credentials() {
    let failures: Vec<Failure> = failures::all().into_iter().filter(Failure::fits_a_refresh).collect();
    let mut world = world(&failures);
    world.cloud.add_role_alias(RoleAlias::new("fresh", ROLE)).unwrap();
    world.gateway.config.push_str("[[role-alias]]\nname = \"fresh\"\n");
    world.bring_online();
    for failure in &failures {
        wait_for_alias(&world.gateway, failure.alias, "credentials", is_valid);
    }
    let first: Vec<String> = failures
        .iter()
        .map(|failure| access_key(&world.gateway, failure.alias))
        .collect();
    for failure in &failures {
        failure.begin(&world.cloud);
    }

    for failure in &failures {
        run(&mut client(&world.gateway, &["retry", "credentials", failure.alias]));
    }
    // Meanwhile a refresh that succeeds.
    let old = access_key(&world.gateway, "fresh");
    refresh(&world.gateway, "fresh");
    assert_ne!(access_key(&world.gateway, "fresh"), old);

    for (failure, key) in failures.iter().zip(&first) {
        let part = wait_for_alias(&world.gateway, failure.alias, "the failed refresh", |alias| {
            alias["problem"].is_object()
        });
        assert_eq!(part["phase"], "valid", "{part}");
        let words = part["problem"]["message"].as_str().unwrap();
        assert!(words.contains(failure.words), "{words}");
        assert_eq!(&access_key(&world.gateway, failure.alias), key, "the last good ones");
    }
}

/// Credentials are not handed out in the last minute of their lifetime.
#[test]
fn promise_3_credentials_are_not_handed_out_beyond_their_lifetime() {
    let failure = failures::all().into_iter().find(Failure::fits_a_refresh).unwrap();
    let mut world = world(std::slice::from_ref(&failure));
    switch(&world.cloud, |switches| {
        switches.lifetime_of.insert(failure.alias.into(), Lifetime::Seconds(75));
    });
    world.bring_online();
    wait_for_alias(&world.gateway, failure.alias, "credentials", |alias| {
        alias["refreshes"]["succeeded"].as_u64() > Some(0)
    });
    failure.begin(&world.cloud);
    wait_for_alias(
        &world.gateway,
        failure.alias,
        "the end of the last good ones",
        |alias| alias["phase"] == "failing",
    );
    assert_one_wording(&world.gateway, &failure);
}

#[test]
fn promise_3_a_lost_network_does_not_affect_valid_credentials() {
    let mut world = World::new();
    world.bring_online();
    let World { mut gateway, cloud, .. } = world;
    let key = access_key(&gateway, "telemetry");
    drop(cloud);
    gateway.wait_for("session.phase", |phase| phase != "connected");
    assert_eq!(access_key(&gateway, "telemetry"), key);
    gateway.stop();
}

/// The provider requires no thing name, but refuses one that does not belong to the certificate, which proves that it is sent.
#[test]
fn the_thing_name_is_sent() {
    let mut world = World::new();
    world.bring_online();
    let certificate = world.certificate_id();
    world
        .cloud
        .account()
        .change(|account| account.certificates.detach_thing(&certificate, THING))
        .unwrap();
    run(&mut client(&world.gateway, &["retry", "credentials", "telemetry"]));
    world
        .gateway
        .wait_for_words("role_aliases.0.problem.message", "Invalid thing name passed");
}
