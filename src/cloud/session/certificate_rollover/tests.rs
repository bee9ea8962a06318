//! Tests of the schedule of trials, and of the problems of failed ones.

use super::*;

#[test]
fn the_predecessor_is_in_a_hurry_only_until_it_has_failed() {
    let seconds = Duration::from_secs;
    let mut rollover = CertificateRollover::none();
    for (failed, wait, expected) in [
        (false, 2, 2),
        (false, 10, 10),
        (false, 120, 10),
        (true, 2, 10),
        (true, 10, 10),
        (true, 73, 73),
        (true, 120, 120),
    ] {
        rollover.predecessor_failed = failed;
        let outcome = rollover.wait_of_predecessor(seconds(wait));
        assert_eq!(outcome, seconds(expected), "{failed} {wait}");
    }
    rollover.accepted_one();
    assert_eq!(rollover.wait_of_predecessor(seconds(120)), ALTERNATION_INTERVAL);
}

#[test]
fn a_new_certificate_that_fails_repeatedly_is_reported_with_suspects() {
    use crate::cloud::mqtt::{Reason, ReasonCode};
    use crate::mqtt::ProtocolError;
    use crate::problem::Remedy;
    let protocol_error = || ConnectError::Protocol(ProtocolError::BEFORE_CONNACK);
    let not_mqtt = || ConnectError::NotMqtt("HTTP".into());
    let unreachable = || ConnectError::Unreachable(Problem::wait("no route"));
    let refused = || {
        ConnectError::Refused(Reason {
            code: ReasonCode::SERVER_BUSY,
            words: None,
        })
    };
    type Fail<'a> = &'a dyn Fn(usize) -> ConnectError;
    let cases: &[(&str, Fail, usize, Remedy)] = &[
        ("a protocol error", &|_| protocol_error(), 10, Remedy::Configuration),
        ("one protocol error less", &|_| protocol_error(), 9, Remedy::Wait),
        (
            "a protocol error, or an answer that is not MQTT",
            &|turn| if turn % 2 == 0 { protocol_error() } else { not_mqtt() },
            10,
            Remedy::Configuration,
        ),
        ("the network", &|_| unreachable(), 10, Remedy::Configuration),
        ("busy", &|_| refused(), 10, Remedy::Configuration),
        (
            "two kinds in turn",
            &|turn| if turn % 2 == 0 { protocol_error() } else { unreachable() },
            30,
            Remedy::Wait,
        ),
        (
            "another kind once",
            &|turn| if turn == 5 { unreachable() } else { protocol_error() },
            12,
            Remedy::Wait,
        ),
    ];
    for (what, fail, times, remedy) in cases {
        let mut rollover = CertificateRollover::none();
        let mut last = Remedy::None;
        for turn in 0..*times {
            let judged = rollover.judge(&fail(turn), Problem::wait("no"));
            assert_eq!(
                judged.next_step.is_some(),
                judged.remedy == Remedy::Configuration,
                "{what}"
            );
            last = judged.remedy;
        }
        assert_eq!(last, *remedy, "{what}");
        // Another certificate begins again.
        rollover.restart();
        let judged = rollover.judge(&fail(0), Problem::wait("no"));
        assert_eq!(judged.remedy, Remedy::Wait, "{what}");
    }
}
