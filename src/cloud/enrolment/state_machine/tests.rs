//! The state machine alone: the step for each situation, and that no power cut loses anything.

use super::*;
use crate::problem::Remedy;

/// 2027-01-15T08:00:00Z
const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Returns a certificate of 90 days that was issued this many days ago.
fn issued(id: &str, days_ago: u64) -> CurrentCertificate<'_> {
    let begin = NOW - days_ago * DAY;
    CurrentCertificate {
        id,
        thing_name: "gw-1",
        validity: Validity {
            not_before: at(begin),
            not_after: at(begin + 90 * DAY),
        },
    }
}

fn situation(certificate: Option<CurrentCertificate<'_>>, bootstrap: Option<CredentialKind>) -> Situation<'_> {
    Situation {
        certificate,
        bootstrap,
        renewal: Some(CredentialKind::CurrentCertificate),
        texts: &TEXTS,
        now: Some(at(NOW)),
    }
}

const TEXTS: MethodTexts = MethodTexts {
    issuer: "the issuer",
    without_credential: "set enrolment.test.secret-file",
    after_expiry: "issue a secret",
};

fn machine(folder: &tempfile::TempDir) -> Enrolment {
    Enrolment::load(folder.path().join("enrolment.json"), fastrand::Rng::with_seed(3))
}

fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        problem: Problem::wait("est.example said something").next("look there"),
        retry_after: None,
    }
}

const SECRET: Option<CredentialKind> = Some(CredentialKind::Secret);
const FIRST: Step = Step::Request(Purpose::First, CredentialKind::Secret);
const RENEWAL: Step = Step::Request(Purpose::Renewal, CredentialKind::CurrentCertificate);

#[test]
fn the_certificate_in_use_decides_what_is_asked_for() {
    for (name, certificate, bootstrap, expected) in [
        ("none, secret", None, SECRET, Ok(FIRST)),
        (
            "none, bootstrap certificate",
            None,
            Some(CredentialKind::BootstrapCertificate),
            Ok(Step::Request(Purpose::First, CredentialKind::BootstrapCertificate)),
        ),
        ("none, nothing", None, None, Err("enrolment.test.secret-file")),
        (
            "fresh",
            Some(issued("a", 0)),
            SECRET,
            Ok(Step::Sleep(issued("a", 0).validity.renewal("gw-1"))),
        ),
        (
            "fresh, nothing",
            Some(issued("a", 54)),
            None,
            Ok(Step::Sleep(issued("a", 54).validity.renewal("gw-1"))),
        ),
        ("old", Some(issued("a", 66)), SECRET, Ok(RENEWAL)),
        ("old, nothing", Some(issued("a", 89)), None, Ok(RENEWAL)),
        (
            "expired",
            Some(issued("a", 91)),
            SECRET,
            Ok(Step::Request(Purpose::Replacement, CredentialKind::Secret)),
        ),
        ("expired, nothing", Some(issued("a", 400)), None, Err("has expired")),
        (
            "of tomorrow",
            Some(CurrentCertificate {
                validity: Validity {
                    not_before: at(NOW + DAY),
                    not_after: at(NOW + 91 * DAY),
                },
                ..issued("a", 0)
            }),
            SECRET,
            Ok(Step::Sleep(at(0))),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let step = machine(&folder).next_step(&situation(certificate, bootstrap));
        match expected {
            Ok(Step::Sleep(until)) if until == at(0) => assert!(matches!(step, Step::Sleep(_)), "{name}: {step:?}"),
            Ok(expected) => assert_eq!(step, expected, "{name}"),
            Err(part) => match step {
                Step::NeedsOperator(problem) => {
                    assert_eq!(problem.remedy, Remedy::Configuration, "{name}");
                    assert!(problem.to_string().contains(part), "{name}: {problem}");
                }
                other => panic!("{name}: {other:?}"),
            },
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let without_renewal = Situation {
        renewal: None,
        ..situation(Some(issued("a", 66)), SECRET)
    };
    assert!(matches!(
        machine(&folder).next_step(&without_renewal),
        Step::NeedsOperator(_)
    ));
    let unset = Situation {
        now: None,
        ..situation(None, SECRET)
    };
    assert_eq!(machine(&folder).next_step(&unset), Step::WaitForClock);
    assert_eq!(machine(&folder).progress(&unset), None);
}

#[test]
fn each_outcome_decides_when_the_next_attempt_is_due() {
    use FailureKind::{AnswerLost, Refused, Unauthorized, Unavailable, Unreachable};
    let old = issued("a", 66);
    for (kind, certificate, retry_after, seconds) in [
        (Unreachable, None, None, 30..=61),
        (AnswerLost, None, None, 30..=61),
        (Unavailable, None, None, 30..=61),
        (Unavailable, None, Some(7200), 7200..=7201),
        (Unauthorized, None, None, 450..=901),
        (Refused, None, None, 450..=901),
        (Unreachable, Some(old), None, 30..=61),
        (Refused, Some(old), None, 3 * 3600..=6 * 3600 + 1),
        (Refused, Some(old), Some(30 * 3600), 24 * 3600..=24 * 3600 + 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = machine(&folder);
        let situation = situation(certificate, SECRET);
        assert!(matches!(machine.next_step(&situation), Step::Request(..)));
        machine.begin_attempt();
        let failure = Failure {
            retry_after: retry_after.map(Duration::from_secs),
            ..failure(kind)
        };
        machine.record_failure(
            &failure,
            CredentialKind::Secret,
            certificate.map(|current| current.validity).as_ref(),
            at(NOW),
        );
        let Step::Sleep(next) = machine.next_step(&situation) else {
            panic!("{kind:?}");
        };
        let wait = next.duration_since(at(NOW)).unwrap().as_secs();
        assert!(seconds.contains(&wait), "{kind:?}: {wait}");
        let progress = machine.progress(&situation).unwrap();
        assert_eq!(
            (progress.failures, progress.next_attempt, progress.since),
            (1, next, at(NOW))
        );
        let later = Situation {
            now: Some(next),
            ..situation
        };
        assert!(matches!(machine.next_step(&later), Step::Request(..)), "{kind:?}");
    }
}

#[test]
fn a_wait_is_no_failure_and_a_new_certificate_ends_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(&folder);
    let none = situation(None, SECRET);
    assert_eq!(machine.next_step(&none), FIRST);
    for _ in 0..3 {
        machine.begin_attempt();
        machine.record_pending(Duration::from_secs(30), &TEXTS, at(NOW));
        assert_eq!(machine.next_step(&none), Step::Sleep(at(NOW + 31)));
    }
    let progress = machine.progress(&none).unwrap();
    assert_eq!(progress.failures, 0);
    assert!(progress.problem.unwrap().message.contains("the issuer has the request"));
    machine.record_success();
    let fresh = situation(Some(issued("a", 0)), SECRET);
    assert!(matches!(machine.next_step(&fresh), Step::Sleep(_)));
    assert_eq!(machine.progress(&fresh), None);
    assert!(!folder.path().join("enrolment.json").exists());
}

#[test]
fn an_operator_has_a_renewal_tried_at_once_and_it_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = machine(&folder);
    let fresh = situation(Some(issued("a", 0)), None);
    assert!(matches!(first.next_step(&fresh), Step::Sleep(_)));
    first.request_now();
    assert_eq!(first.next_step(&fresh), RENEWAL);
    first.begin_attempt();
    first.record_failure(
        &failure(FailureKind::Unavailable),
        CredentialKind::CurrentCertificate,
        None,
        at(NOW),
    );
    assert!(matches!(first.next_step(&fresh), Step::Sleep(next) if next < at(NOW + 62)));
    first.request_now();
    assert_eq!(first.next_step(&fresh), RENEWAL, "even during a wait");
    first.retry_now();
    assert_eq!(first.next_step(&fresh), RENEWAL, "what waits is tried");
    let due = situation(Some(issued("a", 70)), None);
    first.request_now();
    assert_eq!(first.next_step(&due), RENEWAL);
    first.record_success();
    assert!(
        matches!(first.next_step(&situation(Some(issued("b", 0)), None)), Step::Sleep(_)),
        "a request for one that was due anyway renews it once"
    );
    first.request_now();
    assert_eq!(first.next_step(&fresh), RENEWAL);
    first.begin_attempt();
    drop(first);
    let mut again = machine(&folder);
    let later = Situation {
        now: Some(at(NOW + 100)),
        ..fresh
    };
    assert_eq!(again.next_step(&later), RENEWAL, "after a restart");
    let renewed = situation(Some(issued("b", 0)), None);
    again.retry_now();
    assert!(matches!(again.next_step(&renewed), Step::Sleep(next) if next > at(NOW + 50 * DAY)));
    assert_eq!(again.progress(&renewed), None);
}

/// The steps of an attempt. The power may be cut between any two.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Cut {
    BeforeAnything,
    AfterDecision,
    AfterNote,
    AfterSending,
    AfterAnswer,
    AfterWriting,
    AfterSuccess,
}

#[test]
fn a_power_cut_between_any_two_steps_loses_nothing() {
    let cuts = [
        Cut::BeforeAnything,
        Cut::AfterDecision,
        Cut::AfterNote,
        Cut::AfterSending,
        Cut::AfterAnswer,
        Cut::AfterWriting,
        Cut::AfterSuccess,
    ];
    for (before, ask) in [(None, FIRST), (Some(issued("old", 66)), RENEWAL)] {
        for cut in cuts {
            let folder = tempfile::tempdir().unwrap();
            let situation = situation(before, SECRET);
            let mut machine = machine(&folder);
            if cut > Cut::BeforeAnything {
                assert_eq!(machine.next_step(&situation), ask);
            }
            if cut > Cut::AfterDecision {
                machine.begin_attempt();
            }
            if cut >= Cut::AfterSuccess {
                machine.record_success();
            }
            drop(machine);
            let mut again = super::tests::machine(&folder);
            let is_written = cut >= Cut::AfterWriting;
            let after = match is_written {
                true => super::tests::situation(Some(issued("new", 0)), SECRET),
                false => situation,
            };
            match is_written {
                true => {
                    assert!(matches!(again.next_step(&after), Step::Sleep(_)), "{cut:?}");
                    assert!(!folder.path().join("enrolment.json").exists(), "{cut:?}");
                }
                false => {
                    assert_eq!(again.next_step(&after), ask, "{cut:?}");
                    again.begin_attempt();
                    let refused = failure(FailureKind::Unauthorized);
                    again.record_failure(&refused, CredentialKind::Secret, None, at(NOW));
                    let problem = again.progress(&after).unwrap().problem.unwrap();
                    let says_lost = problem.message.contains("may have been used up");
                    assert_eq!(says_lost, cut >= Cut::AfterNote, "{cut:?}: {problem}");
                }
            }
        }
    }
}

#[test]
fn a_secret_is_called_used_up_only_where_an_answer_was_lost() {
    use FailureKind::{AnswerLost, Refused, Unauthorized, Unavailable, Unreachable};
    for (earlier, credential, last, says_so) in [
        (&[AnswerLost][..], CredentialKind::Secret, Unauthorized, true),
        (
            &[AnswerLost, Unavailable, Unreachable],
            CredentialKind::Secret,
            Unauthorized,
            true,
        ),
        (&[AnswerLost], CredentialKind::BootstrapCertificate, Unauthorized, false),
        (&[AnswerLost], CredentialKind::Secret, Refused, false),
        (&[Unreachable], CredentialKind::Secret, Unauthorized, false),
        (&[Unavailable], CredentialKind::Secret, Unauthorized, false),
        (&[], CredentialKind::Secret, Unauthorized, false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = machine(&folder);
        let none = situation(None, Some(credential));
        assert!(matches!(machine.next_step(&none), Step::Request(..)));
        for kind in earlier.iter().chain([&last]) {
            machine.begin_attempt();
            machine.record_failure(&failure(*kind), credential, None, at(NOW));
        }
        let problem = machine.progress(&none).unwrap().problem.unwrap();
        assert_eq!(
            problem.message.contains("used up"),
            says_so,
            "{earlier:?} {last:?}: {problem}"
        );
    }
}

#[test]
fn a_person_is_asked_for_half_way_to_the_end() {
    let begin = issued("a", 0).validity;
    let (renewal, attention) = (begin.renewal("gw-1"), begin.attention("gw-1"));
    for (now, remedy) in [
        (renewal, Remedy::Wait),
        (attention - Duration::from_secs(10), Remedy::Wait),
        (attention, Remedy::Configuration),
        (begin.not_after, Remedy::Configuration),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = machine(&folder);
        let situation = Situation {
            now: Some(now),
            ..situation(Some(issued("a", 0)), None)
        };
        assert_eq!(machine.next_step(&situation), RENEWAL);
        machine.begin_attempt();
        machine.record_failure(
            &failure(FailureKind::Unavailable),
            CredentialKind::CurrentCertificate,
            Some(&begin),
            now,
        );
        let problem = machine.progress(&situation).unwrap().problem.unwrap();
        assert_eq!(problem.remedy, remedy, "{problem}");
        let says_end = problem.message.contains("the certificate ends on 2027-04-15T08:00:00Z");
        assert_eq!(says_end, remedy == Remedy::Configuration, "{problem}");
        assert_eq!(problem.next_step.as_deref(), Some("look there"));
    }
}

#[test]
fn a_clock_that_jumped_or_a_damaged_record_costs_a_wait_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = machine(&folder);
    let none = situation(None, SECRET);
    assert_eq!(first.next_step(&none), FIRST);
    first.begin_attempt();
    first.record_failure(&failure(FailureKind::Refused), CredentialKind::Secret, None, at(NOW));
    let path = folder.path().join("enrolment.json");
    let kept = std::fs::read(&path).unwrap();
    for (name, now) in [
        ("years back", NOW - 700 * DAY),
        ("years ahead", NOW + 700 * DAY),
        ("an hour ahead", NOW + 3600),
    ] {
        std::fs::write(&path, &kept).unwrap();
        let moved = Situation {
            now: Some(at(now)),
            ..none
        };
        let mut again = machine(&folder);
        assert_eq!(again.next_step(&moved), FIRST, "{name}");
        let progress = again.progress(&moved).unwrap();
        assert!(progress.since <= at(now) && progress.next_attempt <= at(now), "{name}");
    }
    for damaged in [
        &b""[..],
        b"{",
        b"[]",
        b"{\"purpose\":\"first\"}",
        &kept[..kept.len() / 2],
        b"\xff\xfe",
        &[0; 4096],
    ] {
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(machine(&folder).next_step(&none), FIRST);
    }
    let huge = String::from_utf8(kept)
        .unwrap()
        .replace(&NOW.to_string(), &u64::MAX.to_string());
    std::fs::write(&path, huge).unwrap();
    assert!(matches!(
        machine(&folder).next_step(&none),
        Step::Request(..) | Step::Sleep(_)
    ));
    // If nothing can be written, enrolment continues nevertheless.
    let mut nowhere = Enrolment::load(folder.path().join("none/enrolment.json"), fastrand::Rng::with_seed(1));
    assert_eq!(nowhere.next_step(&none), FIRST);
    nowhere.begin_attempt();
    nowhere.record_failure(
        &failure(FailureKind::Unavailable),
        CredentialKind::Secret,
        None,
        at(NOW),
    );
    assert!(matches!(nowhere.next_step(&none), Step::Sleep(_)));
}
