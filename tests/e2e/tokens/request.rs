//! The certificate signing request, as OpenSSL reads it.

use std::fs;
use std::path::Path;

use super::{public_key_of, verified};
use crate::support::{THING, World};

/// Returns the subject's attributes in order, each with its string type, after verifying the signature.
fn subject(csr: &Path) -> Vec<String> {
    let shape = "sep_multiline,sname,utf8,show_type";
    verified(csr, &["-subject", "-nameopt", shape])
        .lines()
        .map(str::trim)
        .filter(|line| line.contains('=') && *line != "subject=")
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_request_has_the_configured_subject_and_follows_it() {
    let mut world = World::new();
    let minimal = format!("{{ common-name = \"{THING}\", country = \"IN\", organization = \"Example\" }}");
    let cases = [
        (format!("{{ common-name = \"{THING}\" }}"), vec!["CN=UTF8STRING:gw-1"]),
        (
            format!(
                "{{ common-name = \"{THING}\", country = \"DE\", state = \"Hessen\", locality = \"Gro\u{df}-Gerau\", \
                 organization = \"M\u{fc}ller, S\u{f6}hne + Co\", organizational-unit = \"Pumps\", \
                 serial-number = \"4711-B\", dn-qualifier = \"batch 7\" }}"
            ),
            vec![
                "C=PRINTABLESTRING:DE",
                "ST=UTF8STRING:Hessen",
                "L=UTF8STRING:Gro\u{df}-Gerau",
                "O=UTF8STRING:M\u{fc}ller, S\u{f6}hne + Co",
                "OU=UTF8STRING:Pumps",
                "serialNumber=PRINTABLESTRING:4711-B",
                "dnQualifier=PRINTABLESTRING:batch 7",
                "CN=UTF8STRING:gw-1",
            ],
        ),
        (
            "{ common-name = \"gw-2:b_c\", country = \"DE\" }".to_owned(),
            vec!["C=PRINTABLESTRING:DE", "CN=UTF8STRING:gw-2:b_c"],
        ),
    ];
    let mut last = minimal;
    let mut key = None;
    for (wanted, attributes) in cases {
        world.gateway.configure(&last, &wanted);
        world.gateway.start();
        let csr = world.gateway.wait_for_csr();
        assert_eq!(subject(&csr), attributes);
        let signed = public_key_of(&csr);
        assert_eq!(*key.get_or_insert_with(|| signed.clone()), signed, "the key stays");
        assert_eq!(
            world.gateway.get("/v1/csr").body,
            fs::read(&csr).unwrap(),
            "the socket gives the same request"
        );
        world.gateway.stop();
        last = wanted;
    }
}
