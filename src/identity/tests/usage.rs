//! Tests of certificates that AWS refuses.

use super::*;

#[test]
fn faults_for_which_aws_refuses_a_certificate_are_reported() {
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
            .contains("is signed with Ed25519, which AWS IoT does not accept"),
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
fn a_ca_chain_without_a_ca_and_a_device_marked_as_a_ca_are_reported() {
    let key = KeyPair::generate().unwrap();
    let ca = Party::root(ca_params("Fleet CA"));
    let device = ca.sign(&named("gw-1"), &key).pem();
    for (name, chain, is_warned) in [
        ("the device alone", device.clone(), true),
        ("the device twice", format!("{device}{device}"), true),
        ("the CA", ca.pem(), false),
        ("both", format!("{device}{}", ca.pem()), false),
    ] {
        let loaded = load(&device, Some(&chain), &key).unwrap();
        let warning = loaded.warning.map(|problem| problem.to_string()).unwrap_or_default();
        assert_eq!(
            warning.contains("has no CA certificate in it"),
            is_warned,
            "{name}: {warning}"
        );
    }
    assert!(load(&device, None, &key).unwrap().warning.is_none());

    let marked = ca.sign(&ca_params("gw-1"), &key).pem();
    for text in [
        marked.clone(),
        format!("{marked}{}", ca.pem()),
        format!("{}{marked}", ca.pem()),
    ] {
        let problem = refusal(load(&text, None, &key), "CA:TRUE");
        assert!(
            problem
                .message
                .contains("for the key in the token that is marked as a CA's"),
            "{problem}"
        );
    }
    let other = refusal(load(&ca.pem(), None, &key), "a CA alone");
    assert!(other.message.contains("begins with a CA certificate"), "{other}");
}
