//! Tests which CA certificates are sent, and when there is no path to a CA.

use super::*;

#[test]
fn the_path_is_built_by_signatures() {
    let key = KeyPair::generate().unwrap();
    let old = Party::root(ca_params("Fleet CA"));
    let new = Party::root(ca_params("Fleet CA"));
    let other = Party::root(ca_params("Another CA"));
    let middle = Party::under(ca_params("Factory CA"), &new);
    let p384 = Party::with_key(
        ca_params("P-384 CA"),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
    );
    // A renewed CA has the same name and key, with an expired certificate and a valid one.
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
        // The same certificates in one file, with the device at any position.
        for file in [format!("{device}{chain}"), format!("{chain}{device}")] {
            let loaded = load(&file, None, &key).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
            assert_eq!(loaded.certificate.chain, ders(&path), "{name}");
        }
    }
    // Without CA certificates the device certificate is accepted, because AWS may know it already.
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

#[test]
fn without_a_key_a_ca_of_x509_v1_is_recognised_by_the_certificates_that_it_issued() {
    let ca = include_str!("certificates/first-version-ca.pem");
    let device = include_str!("certificates/first-version-device.pem");
    for (name, file, chain) in [
        ("the CA first", format!("{ca}{device}"), None),
        ("the device first", format!("{device}{ca}"), None),
        ("the CA in its own file", device.to_owned(), Some(ca)),
        ("the CA in both", format!("{ca}{device}"), Some(ca)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (path, chain_path) = (folder.path().join("device.pem"), folder.path().join("ca.pem"));
        fs::write(&path, file).unwrap();
        fs::write(&chain_path, chain.unwrap_or_default()).unwrap();
        let source = Source {
            path: &path,
            ca_chain: chain.map(|_| chain_path.as_path()),
            thing_name: None,
            content: None,
        };
        let loaded = Certificate::load(&source, None, &*ManualClock::at(NOW));
        let certificate = loaded
            .unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"))
            .certificate;
        assert_eq!(
            (certificate.thing_name.as_str(), certificate.chain.len()),
            ("gw-1", 1),
            "{name}"
        );
    }
}
