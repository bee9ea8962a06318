//! Tests of the state machine: the waits and messages that follow dropped connections.

use std::fs;

use super::*;
use crate::problem::Remedy;

fn machine(folder: &std::path::Path) -> Provisioning {
    Provisioning::load(folder.join("provisioning.json"), fastrand::Rng::with_seed(11))
}

#[test]
fn promise_2_the_first_drop_is_expected_and_the_second_connection_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(folder.path());
    machine.begin("aa");
    assert_eq!(
        (machine.phase(), machine.send_chain()),
        (ProvisioningPhase::FirstContact, SendChain::Full)
    );
    let wait = machine.lost_before_connack();
    assert!((5..7).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(machine.phase(), ProvisioningPhase::Pending);
    assert_eq!(machine.explain("end of stream", false).unwrap().remedy, Remedy::None);
    machine.accepted();
    assert_eq!(
        (machine.phase(), machine.send_chain()),
        (ProvisioningPhase::Provisioned, SendChain::Leaf)
    );
}

#[test]
fn attempts_respect_the_limit_then_become_rarer_and_get_advice() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(folder.path());
    machine.begin("aa");
    let waits: Vec<Duration> = (0..200).map(|_| machine.lost_before_connack()).collect();
    assert!(
        waits.iter().skip(1).all(|wait| *wait >= CLIENT_ID_INTERVAL),
        "{waits:?}"
    );
    assert!(waits.iter().all(|wait| *wait <= LONGEST_WAIT), "{waits:?}");
    // Full jitter: gateways whose first contact fails at the same moment do not stay together.
    let slow = &waits[usize::try_from(FAST_ATTEMPTS).unwrap() + 2..];
    for part in [10..38, 38..65, 65..93, 93..120] {
        assert!(
            slow.iter().any(|wait| part.contains(&wait.as_secs())),
            "{part:?}: {slow:?}"
        );
    }
    let advice = machine.explain("end of stream", false).unwrap();
    assert!(advice.next_step.unwrap().contains("CA ACTIVE"));
}

#[test]
fn a_restart_continues_in_every_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = machine(folder.path());
    first.begin("aa");
    let mut steps: Vec<fn(&mut Provisioning)> = vec![|_| {}];
    steps.push(|machine| assert!(machine.lost_before_connack() > Duration::ZERO));
    steps.push(|machine| assert!(machine.lost_before_connack() > Duration::ZERO));
    steps.push(Provisioning::accepted);
    for step in steps {
        step(&mut first);
        let mut again = machine(folder.path());
        again.begin("aa");
        assert_eq!((again.phase(), again.attempts()), (first.phase(), first.attempts()));
    }
    let mut other = machine(folder.path());
    other.begin("bb");
    assert_eq!(
        other.phase(),
        ProvisioningPhase::FirstContact,
        "another certificate is another story"
    );
}

/// Returns a problem's remedy and text.
fn said(problem: Option<Problem>) -> (Remedy, String) {
    problem.map_or((Remedy::None, String::new()), |problem| {
        (problem.remedy, problem.to_string())
    })
}

#[test]
fn a_certificate_that_was_accepted_once_backs_off_for_ever_and_only_adds_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(folder.path());
    machine.begin("aa");
    machine.accepted();
    let mut waits = Vec::new();
    for drops in 1..=400 {
        waits.push(machine.lost_before_connack());
        assert!(machine.was_accepted());
        assert_eq!(
            (machine.phase(), machine.attempts()),
            (ProvisioningPhase::Provisioned, 0)
        );
        let chain = if drops < CHAIN_DROPS {
            SendChain::Leaf
        } else {
            SendChain::Full
        };
        assert_eq!(machine.send_chain(), chain, "after {drops} drops");
    }
    assert!(
        waits
            .iter()
            .all(|wait| (CLIENT_ID_INTERVAL..=LONGEST_WAIT).contains(wait)),
        "{waits:?}"
    );
    for part in [10..38, 38..65, 65..93, 93..120] {
        let drawn = waits
            .iter()
            .skip(8)
            .filter(|wait| part.contains(&wait.as_secs()))
            .count();
        assert!(drawn > 50, "full jitter fills {part:?}: {waits:?}");
    }
    machine.accepted();
    assert_eq!(machine.send_chain(), SendChain::Leaf);
    // Dropped connections do not tell how stable an accepted one will be; only a stable one resets the backoff.
    machine.stable();
    assert!(machine.lost_before_connack() <= 2 * CLIENT_ID_INTERVAL);
}

#[test]
fn a_record_of_an_earlier_version_that_has_given_up_on_an_accepted_certificate_counts_as_provisioned() {
    for phase in ["first-contact", "pending"] {
        let folder = tempfile::tempdir().unwrap();
        let record = format!(r#"{{"certificate-id":"aa","phase":"{phase}","attempts":9,"accepted":true}}"#);
        fs::write(folder.path().join("provisioning.json"), record).unwrap();
        let mut machine = machine(folder.path());
        machine.begin("aa");
        assert_eq!(
            (machine.phase(), machine.attempts()),
            (ProvisioningPhase::Provisioned, 0),
            "{phase}"
        );
        assert_eq!(machine.explain("end of stream", false), None, "{phase}");
    }
}

#[test]
fn the_record_decides_the_words_and_no_message_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut machine = machine(folder.path());
    machine.begin("aa");
    assert_eq!(machine.explain("end of stream", false), None);
    let mut new = Vec::new();
    for _ in 0..30 {
        machine.lost_before_connack();
        new.push(said(machine.explain("end of stream", false)));
    }
    new.dedup();
    assert_eq!(new.len(), 2, "{new:?}");
    assert!(
        new[0].1.contains("as it does while it registers a new certificate"),
        "{new:?}"
    );
    assert_eq!((new[0].0, new[1].0), (Remedy::None, Remedy::Configuration));
    assert!(new[1].1.contains("has never accepted one"), "{new:?}");

    machine.accepted();
    let mut known = Vec::new();
    for _ in 0..30 {
        machine.lost_before_connack();
        known.push(said(machine.explain("end of stream", false)));
    }
    known.dedup();
    let remedies: Vec<Remedy> = known.iter().map(|(remedy, _)| *remedy).collect();
    assert_eq!(
        remedies,
        [Remedy::None, Remedy::Wait, Remedy::Configuration],
        "{known:?}"
    );
    assert!(known.iter().all(|(_, words)| !words.contains("registers")), "{known:?}");
    assert!(known[1].1.contains("which it has accepted before"), "{known:?}");
    assert!(known[1].1.contains("is the certificate ACTIVE"), "{known:?}");

    // A 200 of the credentials provider proves more than any number of dropped connections.
    let (remedy, words) = said(machine.explain("end of stream", true));
    assert_eq!(remedy, Remedy::Wait);
    assert!(words.starts_with("AWS accepts no connection now"), "{words}");
}

#[test]
fn a_damaged_record_is_recreated() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("provisioning.json"), "{\"certificate-id\":").unwrap();
    let mut machine = machine(folder.path());
    machine.begin("aa");
    assert_eq!(machine.phase(), ProvisioningPhase::FirstContact);
}
