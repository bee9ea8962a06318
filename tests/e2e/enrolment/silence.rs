//! An EST server that lets the gateway wait, and a gateway whose clock is not set.

use std::net::TcpListener;
use std::time::Duration;

use est_server::{AnswerFault, Options};

use super::Enrolling;
use crate::faketime::WallClock;

/// More than the time that one exchange may take.
const PATIENCE: Duration = Duration::from_secs(150);

fn with_fault(fault: AnswerFault) -> Enrolling {
    let enrolling = Enrolling::new(false, Options::default());
    enrolling
        .server
        .switch(|switches| switches.enrolment_faults = [fault.times(1)].into());
    enrolling
}

/// All gateways wait at the same time.
#[test]
fn a_server_that_lets_the_gateway_wait_is_given_up_and_asked_again() {
    // Accepts connections and never says a word.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut deaf = Enrolling::new(false, Options::default());
    let url = format!("https://localhost:{}", silent.local_addr().unwrap().port());
    let right = deaf.server.url();
    deaf.world.gateway.configure(&right, &url);
    let mut all = [
        deaf,
        with_fault(AnswerFault::Hang),
        with_fault(AnswerFault::SlowBody(Duration::from_secs(1))),
    ];
    for enrolling in &mut all {
        enrolling.world.gateway.start();
    }
    for (enrolling, words) in all.iter().zip([
        "connecting took more than 30 s",
        "did not answer in time",
        "did not answer in time",
    ]) {
        let gateway = &enrolling.world.gateway;
        let problem = gateway.wait_longer_for(PATIENCE, "identity.problem.message", |message| {
            message.as_str().is_some_and(|message| !message.starts_with("asking "))
        });
        assert!(problem.as_str().unwrap().contains(words), "{words}: {problem}");
        assert!(!gateway.state("device.pem").exists());
        // Everything else of the daemon has gone on.
        assert_eq!(gateway.get("/metrics").status, 200);
    }
    // The next attempt heals what was only slow.
    for enrolling in &mut all[1..] {
        let (code, said, noted) = crate::command::run(&mut crate::command::client(
            &enrolling.world.gateway,
            &["retry", "enrolment"],
        ));
        assert_eq!(code, 0, "{said}{noted}");
        enrolling.world.gateway.wait_online();
    }
    drop(silent);
}

#[test]
fn a_gateway_asks_for_nothing_while_its_clock_stands_at_1970() {
    let mut enrolling = Enrolling::new(true, Options::default());
    let _clock = WallClock::at_1970(&mut enrolling.world.gateway);
    enrolling.world.gateway.start();
    let gateway = &enrolling.world.gateway;
    gateway.wait_for_words("clock.problem.message", "the clock shows 1970-01-01");
    gateway.wait_for_words(
        "identity.enrolment.problem.message",
        "no certificate is requested before the clock is set",
    );
    let asked = enrolling.server.wait_for(1, Duration::ZERO, |_| true);
    assert!(asked.is_err(), "{:?}", enrolling.server.events());
}
