//! Tests of CAs that may sign some names only.

use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints, SanType};

use super::*;

fn directory(parts: &[(DnType, &str)]) -> GeneralSubtree {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    GeneralSubtree::DirectoryName(name)
}

fn dns(name: &str) -> GeneralSubtree {
    GeneralSubtree::DnsName(name.to_owned())
}

/// Returns the warning about a device with these alternative names below a CA with these constraints.
fn warning(permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>, alternatives: Vec<SanType>) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = ca_params("Fleet CA");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: excluded,
    });
    let ca = Party::root(params);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "IN");
    params.distinguished_name.push(DnType::OrganizationName, "Example  Ltd");
    params.distinguished_name.push(DnType::CommonName, "gw-1");
    params.subject_alt_names = alternatives;
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let device = ca.sign(&params, &key).pem();
    let loaded = load(&device, Some(&ca.pem()), &key).unwrap();
    loaded.warning.map(|problem| problem.to_string()).unwrap_or_default()
}

#[test]
fn a_name_that_a_ca_may_not_sign_is_reported() {
    let country = |value: &'static str| directory(&[(DnType::CountryName, value)]);
    let organization =
        |value: &'static str| directory(&[(DnType::CountryName, "IN"), (DnType::OrganizationName, value)]);
    let host = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let mail = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
    let uri = |name: &str| SanType::URI(name.try_into().unwrap());
    let address = |text: &str| SanType::IpAddress(text.parse().unwrap());
    let network = || GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([10, 1, 0, 0], 16));
    let mailbox = |name: &str| GeneralSubtree::Rfc822Name(name.to_owned());
    for (name, permitted, excluded, alternatives, refused) in [
        ("its country", vec![country("IN")], vec![], vec![], None),
        (
            "its country in small letters",
            vec![country("in")],
            vec![],
            vec![],
            None,
        ),
        (
            "its organization, with one blank",
            vec![organization("example ltd")],
            vec![],
            vec![],
            None,
        ),
        ("one of two", vec![country("DE"), country("IN")], vec![], vec![], None),
        ("another country", vec![country("DE")], vec![], vec![], Some("C=IN")),
        (
            "another organization",
            vec![organization("Other")],
            vec![],
            vec![],
            Some("C=IN"),
        ),
        (
            "its country is excluded",
            vec![],
            vec![country("IN")],
            vec![],
            Some("C=IN"),
        ),
        (
            "excluded though permitted",
            vec![country("IN")],
            vec![organization("Example Ltd")],
            vec![],
            Some("C=IN"),
        ),
        ("another country is excluded", vec![], vec![country("DE")], vec![], None),
        ("hosts, and it has none", vec![dns("example.com")], vec![], vec![], None),
        (
            "its host",
            vec![dns("example.com")],
            vec![],
            vec![host("gw.example.com")],
            None,
        ),
        (
            "the domain itself",
            vec![dns("example.com")],
            vec![],
            vec![host("Example.com")],
            None,
        ),
        (
            "a domain that ends alike",
            vec![dns("example.com")],
            vec![],
            vec![host("badexample.com")],
            Some("badexample.com"),
        ),
        (
            "a host elsewhere",
            vec![dns("example.com")],
            vec![],
            vec![host("gw.example.org")],
            Some("gw.example.org"),
        ),
        (
            "an excluded host",
            vec![],
            vec![dns("gw.example.com")],
            vec![host("gw.example.com")],
            Some("gw.example.com"),
        ),
        (
            "every host is excluded",
            vec![],
            vec![dns("")],
            vec![host("gw")],
            Some("name gw "),
        ),
        ("its address", vec![network()], vec![], vec![address("10.1.2.3")], None),
        (
            "an address elsewhere",
            vec![network()],
            vec![],
            vec![address("10.2.2.3")],
            Some("10.2.2.3"),
        ),
        (
            "an excluded address",
            vec![],
            vec![network()],
            vec![address("10.1.2.3")],
            Some("10.1.2.3"),
        ),
        (
            "an address of the other family",
            vec![network()],
            vec![],
            vec![address("2001:db8::1")],
            Some("IPv6"),
        ),
        (
            "its mail host",
            vec![mailbox("example.com")],
            vec![],
            vec![mail("gw@example.com")],
            None,
        ),
        (
            "mail of a host below",
            vec![mailbox("example.com")],
            vec![],
            vec![mail("gw@a.example.com")],
            Some("gw@a.example.com"),
        ),
        (
            "mail of a domain",
            vec![mailbox(".example.com")],
            vec![],
            vec![mail("gw@a.example.com")],
            None,
        ),
        (
            "a mailbox",
            vec![mailbox("gw@example.com")],
            vec![],
            vec![mail("other@example.com")],
            Some("other@example.com"),
        ),
        (
            "a URI beside hosts",
            vec![dns("example.com")],
            vec![],
            vec![uri("urn:gw:1")],
            None,
        ),
    ] {
        let found = warning(permitted, excluded, alternatives);
        match refused {
            None => assert_eq!(found, "", "{name}"),
            Some(words) => assert!(
                found.contains(words) && found.contains("does not permit") && found.contains("CN=Fleet CA"),
                "{name}: {found}"
            ),
        }
    }
}

#[test]
fn constraints_apply_to_the_whole_path_except_self_issued_cas() {
    let key = KeyPair::generate().unwrap();
    let mut params = ca_params("Root");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![directory(&[(DnType::CommonName, "gw-1")])],
        excluded_subtrees: Vec::new(),
    });
    let root = Party::root(params.clone());
    let between = Party::under(ca_params("Fleet CA"), &root);
    let renewed = Party::under(ca_params("Root"), &root);
    for (name, issuer, device, refused) in [
        ("both fit but for the CA between", &between, "gw-1", vec!["CN=Fleet CA"]),
        ("neither fits", &between, "gw-2", vec!["CN=gw-2", "CN=Fleet CA"]),
        ("a CA that changed its key", &renewed, "gw-1", vec![]),
    ] {
        let pem = issuer.sign(&named(device), &key).pem();
        let chain = format!("{}{}", issuer.pem(), root.pem());
        let warning = load(&pem, Some(&chain), &key).unwrap().warning;
        let found = warning.map(|problem| problem.to_string()).unwrap_or_default();
        assert_eq!(found.is_empty(), refused.is_empty(), "{name}: {found}");
        for words in refused {
            assert!(found.contains(&format!("the name {words} (")), "{name}: {found}");
        }
    }
}
