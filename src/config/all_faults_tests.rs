//! No fault in a configuration hides another one: the operator corrects all of them at once.

use super::test_files::load;

/// Values with one fault each, by their table and key.
const FAULTS: [(&str, &str); 31] = [
    ("aws", "mqtt-endpoint = \"192.0.2.1\""),
    ("aws", "credentials-endpoint = \"no host\""),
    ("aws", "root-ca = \"roots.pem\""),
    ("aws", "mqtt-alpn = \"h2\""),
    ("aws", "sts-endpoint = \"ftp://sts.example\""),
    ("token", "module = \"module.so\""),
    ("token", "key = \"pkcs12:a\""),
    ("token", "generate = \"ed25519\""),
    ("identity", "ca-chain = \"ca.pem\""),
    ("identity", "thing-name = \"a thing\""),
    ("identity.subject", "country = \"India\""),
    ("identity.subject", "organization = \"\""),
    ("enrolment", "method = \"scep\""),
    ("enrolment", "renew-key = \"old\""),
    ("enrolment.est", "url = \"http://est.example\""),
    ("enrolment.est", "server-ca = \"ca.pem\""),
    ("enrolment.claim", "template = \"a b\""),
    ("enrolment.claim", "certificate = \"claim.pem\""),
    ("enrolment.est", "user = \"a:b\""),
    ("network", "proxy = \"ftp://proxy.example:21\""),
    ("network", "no-proxy = [\"a b\"]"),
    ("loopback", "listen = \"192.0.2.1:9922\""),
    ("local-mqtt", "listen = \"192.0.2.1:1883\""),
    ("mqtt", "keep-alive = \"1s\""),
    ("mqtt", "presence-topic = \"a/#\""),
    ("mqtt", "outbox-max-bytes = 1"),
    ("mqtt", "outbox-max-messages = 0"),
    ("mqtt", "outbox-max-age = \"1s\""),
    ("mqtt", "outbox-when-full = \"wait\""),
    ("mqtt", "inbox-max-bytes = 1"),
    ("mqtt", "inbox-max-messages = 0"),
];

/// A configuration without faults, by table and key.
const GOOD: [(&str, &str); 9] = [
    ("aws", "mqtt-endpoint = \"a1-ats.iot.us-east-2.amazonaws.com\""),
    (
        "aws",
        "credentials-endpoint = \"c4.credentials.iot.us-east-2.amazonaws.com\"",
    ),
    ("token", "module = \"/usr/lib/softhsm/libsofthsm2.so\""),
    ("token", "key = \"pkcs11:token=gateway;object=device\""),
    ("identity.subject", "common-name = \"gw-1\""),
    ("enrolment.est", "url = \"https://est.example\""),
    ("enrolment.est", "server-ca = \"/etc/ca.pem\""),
    ("enrolment.claim", "template = \"gateways\""),
    ("enrolment.claim", "certificate = \"/etc/claim.pem\""),
];

fn key_of(line: &str) -> &str {
    line.split_once(" =").unwrap().0
}

/// Returns the text of the configuration in which these values replace the good ones.
fn with_faults(faults: &[(&str, &str)]) -> String {
    let is_replaced = |(table, line): &(&str, &str)| {
        faults
            .iter()
            .any(|(other, fault)| other == table && key_of(fault) == key_of(line))
    };
    let lines: Vec<(&str, &str)> = GOOD
        .iter()
        .filter(|good| !is_replaced(good))
        .chain(faults)
        .copied()
        .collect();
    let mut tables: Vec<&str> = lines.iter().map(|(table, _)| *table).collect();
    tables.sort_unstable();
    tables.dedup();
    let mut text = String::new();
    for table in tables {
        text += &format!("[{table}]\n");
        for (_, line) in lines.iter().filter(|(other, _)| *other == table) {
            text += &format!("{line}\n");
        }
    }
    text
}

#[test]
fn each_pair_of_faults_is_reported_together() {
    load(&with_faults(&[]), &[]).unwrap();
    for (index, first) in FAULTS.iter().enumerate() {
        for second in FAULTS.iter().skip(index + 1) {
            let text = with_faults(&[*first, *second]);
            let error = load(&text, &[]).map(|_| ()).unwrap_err();
            for (table, line) in [first, second] {
                let key = format!("{table}.{}", key_of(line));
                assert!(error.contains(&key), "{key} is not in:\n{error}\nof\n{text}");
            }
        }
    }
}
