//! Tests of extensions for which verifiers refuse a certificate.

use rcgen::CustomExtension;

use super::*;

#[test]
fn an_extension_for_which_verifiers_refuse_a_certificate_is_reported() {
    let key = KeyPair::generate().unwrap();
    let extension = |oid: &[u64], is_critical: bool| {
        let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
        extension.set_criticality(is_critical);
        extension
    };
    let private = [1, 3, 6, 1, 4, 1, 99999, 1];
    for (name, extensions, words) in [
        ("none", vec![], None),
        ("one of ones own", vec![extension(&private, false)], None),
        (
            "a critical one of ones own",
            vec![extension(&private, true)],
            Some("1.3.6.1.4.1.99999.1"),
        ),
        (
            "a critical access information",
            vec![extension(&[1, 3, 6, 1, 5, 5, 7, 1, 1], true)],
            Some("1.3.6.1.5.5.7.1.1"),
        ),
        (
            "a critical TLS feature",
            vec![extension(&[1, 3, 6, 1, 5, 5, 7, 1, 24], true)],
            Some("1.3.6.1.5.5.7.1.24"),
        ),
        (
            "a critical Netscape comment",
            vec![extension(&[2, 16, 840, 1, 113_730, 1, 13], true)],
            Some("2.16.840.1.113730.1.13"),
        ),
        (
            "a critical timestamp list",
            vec![extension(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2], true)],
            Some("1.3.6.1.4.1.11129.2.4.2"),
        ),
        (
            "poison of certificate transparency",
            vec![extension(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 3], true)],
            Some("1.3.6.1.4.1.11129.2.4.3"),
        ),
        ("critical policies", vec![extension(&[2, 5, 29, 32], true)], None),
        (
            "a critical issuer's other name",
            vec![extension(&[2, 5, 29, 18], true)],
            Some("2.5.29.18"),
        ),
        (
            "two alike",
            vec![extension(&private, false), extension(&private, false)],
            Some("more than once"),
        ),
    ] {
        for is_in_ca in [false, true] {
            let mut params = ca_params("Fleet CA");
            if is_in_ca {
                params.custom_extensions.clone_from(&extensions);
            }
            let ca = Party::root(params);
            let mut params = named("gw-1");
            if !is_in_ca {
                params.custom_extensions.clone_from(&extensions);
            }
            let loaded = load(&ca.sign(&params, &key).pem(), Some(&ca.pem()), &key).unwrap();
            let found = loaded.warning.map(|problem| problem.to_string()).unwrap_or_default();
            assert_eq!(found.is_empty(), words.is_none(), "{name}: {found}");
            assert!(found.contains(words.unwrap_or_default()), "{name}: {found}");
            assert_eq!(
                is_in_ca && words.is_some(),
                found.contains("CA certificate CN=Fleet CA has"),
                "{name}: {found}"
            );
        }
    }
}
