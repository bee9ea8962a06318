//! Certificates and chains as CAs make them, right and wrong, without a token.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::string::{BmpString, Ia5String, PrintableString, TeletexString, UniversalString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData,
};
use rustls::pki_types::CertificateDer;

use super::{Certificate, Loaded, Refusal, Source};
use crate::clock::manual::ManualClock;
use crate::problem::Problem;

/// 2027-01-15T08:00:00Z
const NOW: u64 = 1_800_000_000;

/// A CA or a device with its certificate.
struct Party {
    params: CertificateParams,
    key: KeyPair,
    certificate: rcgen::Certificate,
}

fn named(name: impl Into<DnValue>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Party {
    fn root(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::with_key(params, key)
    }

    fn with_key(params: CertificateParams, key: KeyPair) -> Self {
        let certificate = params.self_signed(&key).unwrap();
        Self {
            params,
            key,
            certificate,
        }
    }

    fn under(params: CertificateParams, issuer: &Self) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = issuer.sign(&params, &key);
        Self {
            params,
            key,
            certificate,
        }
    }

    fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> rcgen::Certificate {
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(key, &issuer).unwrap()
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }
}

/// What a load of these two files comes to.
fn load_named(
    device: &str,
    ca_chain: Option<&str>,
    key: &KeyPair,
    thing_name: Option<&str>,
) -> Result<Loaded, Refusal> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device.pem");
    let chain: PathBuf = folder.path().join("ca.pem");
    fs::write(&path, device).unwrap();
    fs::write(&chain, ca_chain.unwrap_or_default()).unwrap();
    let source = Source {
        path: &path,
        ca_chain: ca_chain.map(|_| chain.as_path()),
        thing_name,
    };
    let clock: Arc<ManualClock> = ManualClock::at(NOW);
    Certificate::load(&source, Some(&key.subject_public_key_info()), &*clock)
}

fn load(device: &str, ca_chain: Option<&str>, key: &KeyPair) -> Result<Loaded, Refusal> {
    load_named(device, ca_chain, key, None)
}

fn refusal(outcome: Result<Loaded, Refusal>, name: &str) -> Problem {
    match outcome {
        Err(Refusal::Unusable(problem)) => problem,
        other => panic!("{name}: {other:?}"),
    }
}

fn ders(parties: &[&Party]) -> Vec<CertificateDer<'static>> {
    parties.iter().map(|party| party.certificate.der().clone()).collect()
}

#[test]
fn the_path_is_built_by_signatures_whatever_else_is_in_the_file() {
    let key = KeyPair::generate().unwrap();
    let old = Party::root(ca_params("Fleet CA"));
    let new = Party::root(ca_params("Fleet CA"));
    let other = Party::root(ca_params("Another CA"));
    let middle = Party::under(ca_params("Factory CA"), &new);
    let p384 = Party::with_key(
        ca_params("P-384 CA"),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
    );
    // The same CA renewed: the same name and key, an expired certificate and a good one.
    let mut expired = ca_params("Fleet CA");
    expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let renewed_key = KeyPair::try_from(new.key.serialize_der()).unwrap();
    let expired = Party::with_key(expired, renewed_key);
    let by = |issuer: &Party| issuer.sign(&named("gw-1"), &key).pem();
    let all = |parties: &[&Party]| parties.iter().map(|party| party.pem()).collect::<String>();
    for (name, device, chain, path) in [
        ("one CA", by(&old), all(&[&old]), vec![&old]),
        (
            "old and new of one name, signed by the new",
            by(&new),
            all(&[&old, &new]),
            vec![&new],
        ),
        (
            "old and new of one name, signed by the old",
            by(&old),
            all(&[&new, &old]),
            vec![&old],
        ),
        ("of several names", by(&other), all(&[&old, &new, &other]), vec![&other]),
        ("twice the same", by(&old), all(&[&old, &old]), vec![&old]),
        (
            "an intermediate",
            by(&middle),
            all(&[&middle, &new]),
            vec![&middle, &new],
        ),
        (
            "an intermediate in the wrong order",
            by(&middle),
            all(&[&new, &old, &middle]),
            vec![&middle, &new],
        ),
        (
            "an intermediate without its root",
            by(&middle),
            all(&[&middle]),
            vec![&middle],
        ),
        (
            "strangers around",
            by(&middle),
            all(&[&other, &middle, &old, &new, &p384]),
            vec![&middle, &new],
        ),
        ("a renewed CA", by(&new), all(&[&expired, &new]), vec![&new]),
        ("P-384", by(&p384), all(&[&old, &p384]), vec![&p384]),
    ] {
        let loaded = load(&device, Some(&chain), &key).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(loaded.certificate.chain, ders(&path), "{name}");
        assert_eq!(loaded.warning, None, "{name}");
        // The same in one file, and with the device anywhere in it.
        for file in [format!("{device}{chain}"), format!("{chain}{device}")] {
            let loaded = load(&file, None, &key).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
            assert_eq!(loaded.certificate.chain, ders(&path), "{name}");
        }
    }
    // Without any CA certificate there is nothing to compare with: AWS may know the certificate already.
    assert_eq!(load(&by(&old), None, &key).unwrap().certificate.chain, []);
}

#[test]
fn a_certificate_that_none_of_the_cas_has_signed_is_refused() {
    let key = KeyPair::generate().unwrap();
    let (ours, twin, other) = (
        Party::root(ca_params("Fleet CA")),
        Party::root(ca_params("Fleet CA")),
        Party::root(ca_params("Another CA")),
    );
    let device = ours.sign(&named("gw-1"), &key).pem();
    let own = named("gw-1").self_signed(&key).unwrap().pem();
    for (name, device, chain, why) in [
        (
            "a twin",
            &device,
            twin.pem(),
            "which has the issuer's name and another key",
        ),
        (
            "a stranger",
            &device,
            other.pem(),
            "was issued by CN=Fleet CA, which is none of the CA certificates beside it (CN=Another CA)",
        ),
        (
            "both",
            &device,
            format!("{}{}", other.pem(), twin.pem()),
            "the issuer's name and another key",
        ),
        ("signed by itself", &own, other.pem(), "is signed by its own key"),
    ] {
        let problem = refusal(load(device, Some(&chain), &key), name);
        assert!(problem.message.contains(why), "{name}: {problem}");
        assert!(problem.next_step.unwrap().contains("identity.ca-chain"), "{name}");
    }
}

#[test]
fn what_aws_will_not_take_is_said_before_it_is_tried() {
    let key = KeyPair::generate().unwrap();
    let good = Party::root(ca_params("Fleet CA"));
    let ed25519 = Party::with_key(ca_params("Fleet CA"), KeyPair::generate_for(&PKCS_ED25519).unwrap());
    let problem = refusal(
        load(&ed25519.sign(&named("gw-1"), &key).pem(), Some(&ed25519.pem()), &key),
        "Ed25519",
    );
    assert!(
        problem
            .message
            .contains("is signed with Ed25519, which AWS IoT does not take"),
        "{problem}"
    );

    let changed = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = ca_params("Fleet CA");
        change(&mut params);
        Party::root(params)
    };
    let no_ca = changed(&|params| params.is_ca = IsCa::NoCa);
    let expired = changed(&|params| params.not_after = rcgen::date_time_ymd(2021, 1, 1));
    let future = changed(&|params| params.not_before = rcgen::date_time_ymd(2039, 1, 1));
    let no_signing = changed(&|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let device = |change: &dyn Fn(&mut CertificateParams)| {
        let mut params = named("gw-1");
        change(&mut params);
        good.sign(&params, &key).pem()
    };
    let plain = |ca: &Party| ca.sign(&named("gw-1"), &key).pem();
    let usage = |purpose: ExtendedKeyUsagePurpose| {
        move |params: &mut CertificateParams| params.extended_key_usages = vec![purpose.clone()]
    };
    let (server, client) = (ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth);
    for (name, device, ca, warning) in [
        (
            "CA without CA:TRUE",
            plain(&no_ca),
            &no_ca,
            Some("is not marked as a CA's"),
        ),
        (
            "expired CA",
            plain(&expired),
            &expired,
            Some("CN=Fleet CA expired on 2021-01-01T00:00:00Z"),
        ),
        (
            "CA of the future",
            plain(&future),
            &future,
            Some("is valid only from 2039-01-01T00:00:00Z"),
        ),
        (
            "CA without keyCertSign",
            plain(&no_signing),
            &no_signing,
            Some("lacks keyCertSign"),
        ),
        (
            "EKU serverAuth",
            device(&usage(server)),
            &good,
            Some("lacks clientAuth"),
        ),
        ("EKU any", device(&usage(ExtendedKeyUsagePurpose::Any)), &good, None),
        ("EKU clientAuth", device(&usage(client)), &good, None),
        (
            "KU without digitalSignature",
            device(&|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
            &good,
            Some("lacks digitalSignature"),
        ),
        (
            "KU with digitalSignature",
            device(&|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
            &good,
            None,
        ),
        (
            "a key beside it",
            format!("{}{}", device(&|_| {}), good.key.serialize_pem()),
            &good,
            Some("has a private key in it"),
        ),
    ] {
        let loaded = load(&device, Some(&ca.pem()), &key).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        let found = loaded.warning.map(|problem| problem.to_string());
        match warning {
            None => assert_eq!(found, None, "{name}"),
            Some(words) => {
                let found = found.unwrap_or_else(|| panic!("{name}: no warning"));
                assert!(found.contains(words) && found.contains("; next: "), "{name}: {found}");
            }
        }
    }
}

#[test]
fn the_common_name_is_read_in_every_string_type() {
    let key = KeyPair::generate().unwrap();
    let ca = Party::root(ca_params("Fleet CA"));
    let utf8 = || DnValue::Utf8String("gw-1".into());
    let values = [
        utf8(),
        DnValue::PrintableString(PrintableString::try_from("gw-1").unwrap()),
        DnValue::Ia5String(Ia5String::try_from("gw-1").unwrap()),
        DnValue::TeletexString(TeletexString::try_from("gw-1").unwrap()),
        DnValue::BmpString(BmpString::try_from("gw-1").unwrap()),
        DnValue::UniversalString(UniversalString::try_from("gw-1").unwrap()),
    ];
    for value in values {
        let name = format!("{value:?}");
        let device = ca.sign(&named(value), &key).pem();
        let loaded = load(&device, Some(&ca.pem()), &key).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(loaded.certificate.thing_name, "gw-1", "{name}");
        assert_eq!(loaded.certificate.subject, "CN=gw-1", "{name}");
    }
    // VisibleString, which rcgen does not write: its tag in the place of another's of the same length.
    let der = ca
        .sign(&named(DnValue::Ia5String(Ia5String::try_from("gw-1").unwrap())), &key)
        .der()
        .to_vec();
    let place = der.windows(6).position(|bytes| bytes == b"\x16\x04gw-1").unwrap();
    let mut visible = der;
    visible[place] = 26;
    let visible = pem::encode(&pem::Pem::new("CERTIFICATE", visible));
    assert_eq!(load(&visible, None, &key).unwrap().certificate.thing_name, "gw-1");

    // Two names are two in whatever types they are.
    let mut params = named(DnValue::BmpString(BmpString::try_from("gw-1").unwrap()));
    params
        .distinguished_name
        .push(DnType::CustomDnType(vec![2, 5, 4, 3]), utf8());
    let two = refusal(load(&ca.sign(&params, &key).pem(), None, &key), "two");
    assert!(two.message.contains("more than one common name"), "{two}");
}

#[test]
fn a_configured_thing_name_stands_in_for_the_common_name() {
    let key = KeyPair::generate().unwrap();
    for name in ["gw-1", "serial 4711, not a thing's name", ""] {
        let device = named(name).self_signed(&key).unwrap().pem();
        let loaded = load_named(&device, None, &key, Some("thing-7")).unwrap();
        assert_eq!(loaded.certificate.thing_name, "thing-7");
    }
    let mut params = named("x");
    params.distinguished_name = DistinguishedName::new();
    let nameless = params.self_signed(&key).unwrap().pem();
    assert_eq!(
        load_named(&nameless, None, &key, Some("thing-7"))
            .unwrap()
            .certificate
            .thing_name,
        "thing-7"
    );
    let problem = refusal(load(&nameless, None, &key), "nameless");
    assert!(problem.next_step.unwrap().contains("identity.thing-name"));
}

#[test]
fn the_newest_certificate_for_the_key_is_taken() {
    let key = KeyPair::generate().unwrap();
    let mut old = named("gw-1");
    old.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let (old, new) = (old.self_signed(&key).unwrap(), named("gw-1").self_signed(&key).unwrap());
    for file in [
        format!("{}{}", old.pem(), new.pem()),
        format!("{}{}", new.pem(), old.pem()),
    ] {
        assert_eq!(load(&file, None, &key).unwrap().certificate.leaf, *new.der());
    }
}
