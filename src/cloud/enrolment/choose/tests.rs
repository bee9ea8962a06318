//! Answers that contain the right certificate, and answers whose certificates must not be used.

use std::fs;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PublicKeyData as _,
};

use super::*;
use crate::clock::manual::ManualClock;
use crate::config::Subject;

/// 2027-01-15T08:00:00Z
const NOW: u64 = 1_800_000_000;

struct Ca {
    params: CertificateParams,
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2028, 1, 1));
    params
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            params,
            key,
            certificate,
        }
    }

    fn sign(&self, params: &CertificateParams, key: &KeyPair) -> CertificateDer<'static> {
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(key, &issuer).unwrap().der().clone()
    }
}

struct Stage {
    ca: Ca,
    key: KeyPair,
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Stage {
    fn new() -> Self {
        Self {
            ca: Ca::new("Fleet CA"),
            key: KeyPair::generate().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            clock: ManualClock::at(NOW),
        }
    }

    fn config(&self, anchors: Option<&[&Ca]>) -> IdentityConfig {
        let path = self.folder.path().join("ca-chain.pem");
        if let Some(anchors) = anchors {
            let anchors = anchors.iter().map(|ca| ca.certificate.as_ref());
            fs::write(&path, pem_file::encode("CERTIFICATE", anchors)).unwrap();
        }
        IdentityConfig {
            certificate: self.folder.path().join("device.pem"),
            ca_chain: anchors.map(|_| path),
            thing_name: None,
            assigned_name: None,
            subject: Subject {
                common_name: "gw-1".to_owned(),
                attributes: Vec::new(),
            },
        }
    }

    fn choose(
        &self,
        received: &[CertificateDer<'static>],
        published: &[CertificateDer<'static>],
        anchors: Option<&[&Ca]>,
        renewed: Option<&str>,
    ) -> Result<Offered, ChooseError> {
        let expected = Expected {
            server: "est.example",
            key_info: &self.key.subject_public_key_info(),
            thing_name: "gw-1",
            renewed,
        };
        choose(received, published, &expected, &self.config(anchors), &*self.clock)
    }
}

fn why(outcome: Result<Offered, ChooseError>) -> String {
    match outcome {
        Err(ChooseError::Unusable(problem)) => problem.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_certificate_is_found_by_its_key_wherever_it_stands() {
    let stage = Stage::new();
    let leaf = stage.ca.sign(&named("gw-1"), &stage.key);
    let ca = stage.ca.certificate.clone();
    let unrelated = Ca::new("Unrelated").certificate;
    let another_device = stage.ca.sign(&named("gw-2"), &KeyPair::generate().unwrap());
    let mut old = named("gw-1");
    old.not_after = rcgen::date_time_ymd(2027, 2, 1);
    let older = stage.ca.sign(&old, &stage.key);
    for received in [
        vec![leaf.clone()],
        vec![leaf.clone(), ca.clone()],
        vec![ca.clone(), leaf.clone()],
        vec![ca.clone(), leaf.clone(), unrelated.clone()],
        vec![unrelated.clone(), leaf.clone()],
        vec![another_device.clone(), ca.clone(), leaf.clone()],
        vec![older.clone(), leaf.clone()],
        vec![leaf.clone(), older.clone(), ca.clone()],
        vec![leaf.clone(), leaf.clone()],
        vec![CertificateDer::from(vec![0x30, 0]), leaf.clone()],
    ] {
        let anchors = [&stage.ca];
        let anchored = stage.choose(&received, &[], Some(&anchors), None);
        // Text that is not a certificate is refused in the same way as in a file.
        let Ok(offered) = anchored else {
            assert_eq!(received[0].len(), 2, "{anchored:?}");
            continue;
        };
        assert_eq!(offered.certificate.leaf, leaf);
        assert_eq!(offered.certificate.chain, std::slice::from_ref(&ca));
        assert!(offered.pem.starts_with("-----BEGIN CERTIFICATE-----\n"));
    }
}

#[test]
fn unusable_values_are_refused_with_the_reason() {
    let stage = Stage::new();
    let ca = &stage.ca;
    let good = ca.sign(&named("gw-1"), &stage.key);
    let sign = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = named("gw-1");
        change(&mut params);
        ca.sign(&params, &stage.key)
    };
    let with_usage = |usage: ExtendedKeyUsagePurpose| sign(&|params| params.extended_key_usages = vec![usage.clone()]);
    let impostor = Ca::new("Fleet CA");
    let stranger = Ca::new("Another CA");
    let anchors: Option<&[&Ca]> = Some(&[ca]);
    for (certificate, part) in [
        (
            ca.sign(&named("gw-1"), &KeyPair::generate().unwrap()),
            "no certificate for the key",
        ),
        (ca.certificate.clone(), "no certificate for the key"),
        (
            ca.sign(&named("gw-2"), &stage.key),
            "a certificate for gw-2, and this gateway is gw-1",
        ),
        (
            sign(&|params| params.distinguished_name = DistinguishedName::new()),
            "has no common name",
        ),
        (
            sign(&|params| params.not_after = rcgen::date_time_ymd(2026, 6, 1)),
            "expired",
        ),
        (
            sign(&|params| params.not_before = rcgen::date_time_ymd(2027, 6, 1)),
            "is valid only from",
        ),
        (with_usage(ExtendedKeyUsagePurpose::ServerAuth), "without clientAuth"),
        (
            sign(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            "marked as a CA's",
        ),
        (
            impostor.sign(&named("gw-1"), &stage.key),
            "was not signed by the CA certificate",
        ),
        (stranger.sign(&named("gw-1"), &stage.key), "was issued by CN=Another CA"),
    ] {
        let message = why(stage.choose(&[certificate], &[], anchors, None));
        assert!(message.contains(part), "{message}");
        assert!(
            message.contains("est.example") && message.contains("next: "),
            "{message}"
        );
    }
    assert!(
        stage
            .choose(&[with_usage(ExtendedKeyUsagePurpose::ClientAuth)], &[], anchors, None)
            .is_ok()
    );
    assert!(
        stage
            .choose(&[with_usage(ExtendedKeyUsagePurpose::Any)], &[], anchors, None)
            .is_ok()
    );
    let offered = stage.choose(std::slice::from_ref(&good), &[], anchors, None).unwrap();
    let again = why(stage.choose(&[good], &[], anchors, Some(&offered.certificate.id)));
    assert!(again.contains("the certificate that is to be renewed"), "{again}");
}

#[test]
fn a_certificate_that_begins_in_a_moment_is_waited_for() {
    let stage = Stage::new();
    let mut params = named("gw-1");
    params.not_before += std::time::Duration::from_secs(NOW + 2 - 1_767_225_600);
    let leaf = [stage.ca.sign(&params, &stage.key)];
    assert!(matches!(
        stage.choose(&leaf, &[], None, None),
        Err(ChooseError::Soon(_))
    ));
    let later = Stage {
        clock: ManualClock::at(NOW + 2),
        ..stage
    };
    assert!(later.choose(&leaf, &[], None, None).is_ok());
}

#[test]
fn a_new_ca_is_taken_only_where_its_path_leads_to_a_configured_one() {
    let stage = Stage::new();
    let old = &stage.ca;
    let new = Ca::new("Fleet CA 2");
    let leaf = new.sign(&named("gw-1"), &stage.key);
    let new_with_old = old.sign(&new.params, &new.key);
    // A server may publish this one as well, and it expires later than the old CA's own.
    let mut later = old.params.clone();
    later.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let old_with_new = new.sign(&later, &old.key);
    let middle = Ca::new("Middle CA");
    let middle_with_new = new.sign(&middle.params, &middle.key);
    let below_middle = middle.sign(&named("gw-1"), &stage.key);
    let (root, cross) = (new.certificate.clone(), new_with_old);
    let only_old: Option<&[&Ca]> = Some(&[old]);
    let both: Option<&[&Ca]> = Some(&[old, &new]);
    for (received, published, anchors, is_taken) in [
        (vec![leaf.clone()], vec![], only_old, false),
        (vec![leaf.clone(), root.clone()], vec![], only_old, false),
        (vec![leaf.clone()], vec![root.clone()], only_old, false),
        (vec![leaf.clone()], vec![root.clone(), cross.clone()], only_old, true),
        (vec![leaf.clone(), root.clone(), cross.clone()], vec![], only_old, true),
        (
            vec![leaf.clone()],
            vec![
                root.clone(),
                old.certificate.clone(),
                cross.clone(),
                old_with_new.clone(),
            ],
            only_old,
            true,
        ),
        (vec![leaf.clone()], vec![old_with_new, cross.clone()], only_old, true),
        (
            vec![below_middle.clone(), middle_with_new.clone()],
            vec![],
            only_old,
            false,
        ),
        (
            vec![below_middle.clone(), middle_with_new.clone()],
            vec![cross],
            only_old,
            true,
        ),
        (vec![leaf.clone()], vec![], both, true),
        (vec![leaf.clone(), root.clone()], vec![], both, true),
        (vec![leaf.clone()], vec![], None, true),
        (vec![leaf.clone(), root], vec![], None, true),
        (vec![below_middle, middle_with_new], vec![], both, true),
    ] {
        let outcome = stage.choose(&received, &published, anchors, None);
        let count = (received.len(), published.len());
        assert_eq!(outcome.is_ok(), is_taken, "{count:?}: {outcome:?}");
    }
    let mut config = stage.config(None);
    config.ca_chain = Some(stage.folder.path().join("missing.pem"));
    let expected = Expected {
        server: "est.example",
        key_info: &stage.key.subject_public_key_info(),
        thing_name: "gw-1",
        renewed: None,
    };
    let message = why(choose(&[leaf], &[], &expected, &config, &*stage.clock));
    assert!(message.contains("missing.pem does not exist"), "{message}");
}
