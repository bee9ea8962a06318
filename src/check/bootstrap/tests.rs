//! Tests of the judgement about a bootstrap certificate that belongs to its key.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose as Purpose, KeyPair, KeyUsagePurpose};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const SETTING: &str = "enrolment.est.bootstrap-certificate";

fn key_pair() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// Returns the facts about a certificate that is valid from 2026 to 2029, or what is wrong with it.
fn facts(change: impl FnOnce(&mut CertificateParams)) -> BootstrapFacts {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("idevid.pem"), folder.path().join("idevid.key"));
    let pair = key_pair();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "unit-4711");
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2029, 1, 1);
    change(&mut params);
    std::fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    let loaded = BootstrapCertificate::load(&certificate, &key, CLAIM_NAMES).unwrap();
    BootstrapFacts::of_pair(&loaded, Path::new("/etc/gatepost/idevid.pem")).unwrap()
}

fn is_valid_for_days(days: u8) -> impl FnOnce(&mut CertificateParams) {
    move |params| {
        params.not_before = rcgen::date_time_ymd(2026, 12, 1);
        params.not_after = rcgen::date_time_ymd(2026, 12, 1 + days);
    }
}

fn judged(facts: &BootstrapFacts, now: Option<SystemTime>) -> (&'static str, String) {
    let path = Path::new("/etc/gatepost/idevid.pem");
    match judge(facts, path, SETTING, "for another certificate", now) {
        Ok(Verdict::Good(message)) => ("good", message),
        Ok(Verdict::EndsSoon(problem)) => ("ends soon", problem.to_string()),
        Err(problem) => ("bad", problem.to_string()),
    }
}

#[test]
fn a_bootstrap_certificate_is_judged_with_cause_and_next_step() {
    // 2026-12-01
    let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_083_200);
    let usual = || facts(|_| {});
    let again = "issue another certificate for the same key, and put it at /etc/gatepost/idevid.pem";
    for (name, facts, now, outcome, words) in [
        (
            "good for years",
            usual(),
            Some(today),
            "good",
            "CN=unit-4711, issued by CN=unit-4711; it belongs to its key; it ends at 2029-01-01",
        ),
        (
            "the clock is not set",
            usual(),
            None,
            "good",
            "is known once the clock is set",
        ),
        (
            "the last day before the warning",
            usual(),
            Some(today + 731 * DAY),
            "good",
            "in 31 days",
        ),
        ("30 days are left", usual(), Some(today + 732 * DAY), "ends soon", again),
        (
            "6 days are left",
            usual(),
            Some(today + 756 * DAY),
            "ends soon",
            "is needed for another certificate",
        ),
        (
            "the last second",
            usual(),
            Some(today + 762 * DAY - Duration::from_secs(1)),
            "ends soon",
            SETTING,
        ),
        (
            "expired yesterday",
            usual(),
            Some(today + 763 * DAY),
            "bad",
            "expired on 2029-01-01",
        ),
        (
            "expired, and what to do",
            usual(),
            Some(today + 763 * DAY),
            "bad",
            again,
        ),
        (
            "a clock before it",
            usual(),
            Some(today - 365 * DAY),
            "bad",
            "is valid only from 2026-01-01",
        ),
        (
            "a clock before it, and what to do",
            usual(),
            Some(today - 365 * DAY),
            "bad",
            "check the clock (timedatectl)",
        ),
        (
            "9 days, the first day",
            facts(is_valid_for_days(9)),
            Some(today + DAY),
            "good",
            "in 8 days",
        ),
        (
            "9 days, the last third",
            facts(is_valid_for_days(9)),
            Some(today + 7 * DAY),
            "ends soon",
            "in 2 days",
        ),
        (
            "for servers only",
            facts(|params| params.extended_key_usages = vec![Purpose::ServerAuth]),
            Some(today),
            "bad",
            "lacks clientAuth",
        ),
        (
            "for clients and servers",
            facts(|params| params.extended_key_usages = vec![Purpose::ServerAuth, Purpose::ClientAuth]),
            Some(today),
            "good",
            "it ends at",
        ),
        (
            "for encryption only",
            facts(|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
            None,
            "bad",
            "lacks digitalSignature",
        ),
        (
            "for signatures",
            facts(|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
            None,
            "good",
            "once the clock is set",
        ),
        (
            "without a name",
            facts(|params| params.distinguished_name = rcgen::DistinguishedName::new()),
            Some(today),
            "good",
            "it belongs to its key",
        ),
    ] {
        let (found, text) = judged(&facts, now);
        assert_eq!(found, outcome, "{name}: {text}");
        assert!(text.contains(words), "{name}: {text}");
    }
}
