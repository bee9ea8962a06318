//! Tests of files at aws.root-ca that cannot verify AWS's servers.

use std::time::{Duration, SystemTime};

use super::*;
use crate::identity::roots;

#[test]
fn certificates_that_are_not_roots_are_reported_by_name() {
    let changed = |name: &str, change: &dyn Fn(&mut CertificateParams)| {
        let mut params = ca_params(name);
        change(&mut params);
        Party::root(params)
    };
    let good = Party::root(ca_params("Good CA"));
    let other = Party::root(ca_params("Other CA"));
    let server = Party::under(named("a1-ats.iot.example"), &good);
    let no_ca = changed("Marked CA", &|params| params.is_ca = IsCa::ExplicitNoCa);
    let expired = changed("Old CA", &|params| params.not_after = rcgen::date_time_ymd(2021, 1, 1));
    let future = changed("New CA", &|params| params.not_before = rcgen::date_time_ymd(2039, 1, 1));
    let no_signing = changed("CRL CA", &|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let signing = changed("Signing CA", &|params| {
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign]
    });
    let middle = Party::under(ca_params("Middle CA"), &good);
    let first_version = include_str!("certificates/root-v1.pem");
    let pems = |parties: &[&Party]| parties.iter().map(|party| party.pem()).collect::<String>();
    for (name, file, said) in [
        ("a root", pems(&[&good]), &[][..]),
        ("two roots", pems(&[&good, &other]), &[]),
        ("an intermediate", pems(&[&middle]), &[]),
        ("a root that may sign certificates", pems(&[&signing]), &[]),
        (
            "a root of the first version, which has no extensions",
            first_version.to_owned(),
            &[],
        ),
        (
            "a server's certificate",
            pems(&[&server]),
            &["CN=a1-ats.iot.example, which is not a CA certificate"],
        ),
        (
            "CA:FALSE",
            pems(&[&no_ca]),
            &["CN=Marked CA, which is not a CA certificate"],
        ),
        (
            "an expired root",
            pems(&[&expired]),
            &["CN=Old CA, which expired on 2021-01-01T00:00:00Z"],
        ),
        (
            "a root of the future",
            pems(&[&future]),
            &["CN=New CA, which is valid only from 2039-01-01"],
        ),
        (
            "a root that may sign nothing",
            pems(&[&no_signing]),
            &["CN=CRL CA, which may not sign"],
        ),
        (
            "a server's beside its root",
            pems(&[&server, &good]),
            &["a1-ats.iot.example"],
        ),
        (
            "an expired root beside a good one, as in a bundle",
            pems(&[&expired, &good]),
            &[],
        ),
        (
            "nothing good",
            pems(&[&expired, &server]),
            &["CN=Old CA", "a1-ats.iot.example"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.pem");
        fs::write(&path, file).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let found = roots::examine(&path, Some(now));
        assert_eq!(found.len(), said.len(), "{name}: {found:?}");
        for (problem, words) in found.iter().zip(said) {
            assert!(
                problem.message.contains("aws.root-ca: ") && problem.message.contains(words),
                "{name}: {problem}"
            );
            assert!(problem.next_step.is_some(), "{name}");
        }
        let is_dated = name.contains("expired") || name.contains("future");
        assert_eq!(
            roots::examine(&path, None).is_empty(),
            said.is_empty() || is_dated,
            "{name}, without a time"
        );
    }
}

#[test]
fn a_file_without_certificates_is_reported_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.pem");
    assert!(roots::examine(&path, None).is_empty());
    fs::write(&path, "nothing").unwrap();
    assert!(roots::examine(&path, None).is_empty());
}
