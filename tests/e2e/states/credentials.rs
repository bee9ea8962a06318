//! States of the role aliases and of AWS's time, while the session is up.

use cloudlet::switches::Answer;

use super::{Case, ONLINE, Observed};
use crate::reload::reload;

fn refused() -> Answer {
    Answer::Status(403, r#"{"message":"Access Denied"}"#.into())
}

fn internal() -> Answer {
    Answer::Status(500, r#"{"message":"InternalFailure"}"#.into())
}

/// Lets AWS give this answer for every role alias from now on.
fn answer(observed: &Observed, answer: Answer) {
    let switches = observed.world.cloud.switches();
    switches.set(|switches| switches.credentials.answer = answer);
}

fn refresh(observed: &Observed) {
    observed.retry(&["credentials", "telemetry"]);
}

/// Adds the role alias `video`, which does not exist at AWS.
fn add_alias(observed: &mut Observed) {
    let gateway = &mut observed.world.gateway;
    gateway.configure("[[access]]", "[[role-alias]]\nname = \"video\"\n[[access]]");
    reload(gateway);
}

fn remove_alias(observed: &mut Observed) {
    let gateway = &mut observed.world.gateway;
    gateway.configure("[[role-alias]]\nname = \"video\"\n", "");
    reload(gateway);
    answer(observed, Answer::Normal);
}

const CASES: &[Case] = &[
    Case {
        name: "the last refresh of a role alias was refused, and its credentials are good",
        words: "1 of 1 role aliases valid; but AWS answered 403",
        provoke: |observed| {
            answer(observed, refused());
            refresh(observed);
        },
        heal: |observed| {
            answer(observed, Answer::Normal);
            refresh(observed);
        },
    },
    Case {
        name: "one of two role aliases is refused",
        words: "1 of 2 role aliases valid; but AWS answered 404",
        provoke: add_alias,
        heal: remove_alias,
    },
    Case {
        name: "the clock is 20 minutes slow",
        words: "but this machine's clock is 20 min behind AWS's",
        provoke: |observed| {
            observed
                .world
                .cloud
                .switches()
                .set(|switches| switches.clock_ahead = 1200);
            refresh(observed);
        },
        heal: |observed| {
            observed.world.cloud.switches().set(|switches| switches.clock_ahead = 0);
            refresh(observed);
        },
    },
];

#[test]
fn promise_16_every_output_tells_of_a_role_alias_that_is_refused() {
    let mut observed = Observed::online();
    observed.expect("everything works", ONLINE);
    observed.go_through(CASES);

    // Without the earlier credentials, the refusal leaves programs with none.
    answer(&observed, refused());
    observed.world.gateway.stop();
    observed.world.gateway.manager().forget();
    observed.world.gateway.start();
    let name = "a role alias is refused, and there are no credentials";
    observed.expect(name, "online as gw-1; 0 of 1 role aliases valid; but AWS answered 403");
    answer(&observed, Answer::Normal);
    refresh(&observed);
    observed.expect_end_of(name);
    observed.expect("everything works", ONLINE);
}

#[test]
fn promise_16_every_output_counts_the_refreshes_that_fail() {
    let mut observed = Observed::online();
    observed.expect("everything works", ONLINE);
    // AWS seems to lack capacity: the next attempt is minutes away, unless somebody requests it.
    let attempt = |observed: &Observed, what: Answer| {
        answer(observed, what);
        observed.retry(&["credentials", "telemetry", "--wait"]);
    };
    attempt(&observed, internal());
    observed.expect(
        "one refresh of a role alias has failed, and its credentials are good",
        ONLINE,
    );
    // An outage counts once, however many attempts have failed in it.
    for what in [Answer::Normal, internal(), Answer::Normal] {
        attempt(&observed, what);
    }
    for _ in 0..3 {
        attempt(&observed, internal());
    }
    observed.expect(
        "three refreshes in a row have failed, and the credentials are good",
        "but AWS answered 500",
    );
    attempt(&observed, Answer::Normal);
    observed.expect(
        "refreshes have failed three times within an hour, and the last one succeeded",
        "but role alias telemetry: refreshing its credentials has failed",
    );
    observed.expect_end_of("three refreshes in a row have failed, and the credentials are good");
}
