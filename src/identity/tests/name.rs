//! Tests of the thing name, which is in the certificate or in the configuration.

use super::*;
use crate::config::{IdentityConfig, Subject};

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
    // rcgen does not write VisibleString, so its tag replaces that of another type of the same length.
    let der = ca
        .sign(&named(DnValue::Ia5String(Ia5String::try_from("gw-1").unwrap())), &key)
        .der()
        .to_vec();
    let place = der.windows(6).position(|bytes| bytes == b"\x16\x04gw-1").unwrap();
    let mut visible = der;
    visible[place] = 26;
    let visible = pem::encode(&pem::Pem::new("CERTIFICATE", visible));
    assert_eq!(load(&visible, None, &key).unwrap().certificate.thing_name, "gw-1");

    // Two names are refused whatever their types are.
    let mut params = named(DnValue::BmpString(BmpString::try_from("gw-1").unwrap()));
    params
        .distinguished_name
        .push(DnType::CustomDnType(vec![2, 5, 4, 3]), utf8());
    let two = refusal(load(&ca.sign(&params, &key).pem(), None, &key), "two");
    assert!(two.message.contains("more than one common name"), "{two}");
}

#[test]
fn a_configured_thing_name_overrides_the_common_name() {
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
fn promise_3_the_thing_name_before_the_token_is_open_is_the_devices_wherever_it_stands() {
    let key = KeyPair::generate().unwrap();
    let root = Party::root(ca_params("Fleet CA"));
    let middle = Party::under(ca_params("Factory CA"), &root);
    let device = middle.sign(&named("gw-1"), &key).pem();
    let (root, middle) = (root.pem(), middle.pem());
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("device.pem");
    let name = |text: &str, configured: Option<&str>| {
        fs::write(&certificate, text).unwrap();
        super::super::find_thing_name(&IdentityConfig {
            certificate: certificate.clone(),
            ca_chain: None,
            thing_name: configured.map(str::to_owned),
            assigned_name: None,
            subject: Subject {
                common_name: "gw-1".to_owned(),
                attributes: Vec::new(),
            },
        })
    };
    for (text, expected) in [
        (device.clone(), Some("gw-1")),
        (format!("{device}{middle}"), Some("gw-1")),
        (format!("{device}{middle}{root}"), Some("gw-1")),
        (format!("{middle}{device}"), Some("gw-1")),
        (format!("{root}{middle}{device}"), Some("gw-1")),
        (format!("{middle}{device}{root}"), Some("gw-1")),
        (format!("\u{feff}{root}\r\n{device}"), Some("gw-1")),
        (middle.clone(), None),
        (format!("{root}{middle}"), None),
        (String::new(), None),
        ("no certificate".to_owned(), None),
    ] {
        assert_eq!(name(&text, None).as_deref(), expected, "{text}");
        assert_eq!(name(&text, Some("thing-7")).as_deref(), Some("thing-7"), "{text}");
    }
}
