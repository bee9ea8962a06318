use proptest::prelude::*;

use super::{REMOVED, Redaction};

mod pem_blocks;

/// Formats of lines in a journal, a drop-in or a configuration. § stands for the secret.
const SHAPES: &[&str] = &[
    // Options.
    "pkcs11-tool --login --pin § --list-objects",
    "pkcs11-tool --login --pin=§",
    "pkcs11-tool --login --pin '§'",
    "sudo: admin : COMMAND=/usr/bin/pkcs11-tool --so-pin § --init-pin",
    "softhsm2-util --init-token --pin \"§\" --so-pin \"§\"",
    "ExecStart=/usr/bin/tool --user-pin §",
    "tool -pin §",
    "argv: [\"tool\", \"--pin\", \"§\"]",
    "p11tool --login --set-pin=§",
    "mosquitto_pub --username gw --password § -t a",
    "openssl pkcs12 -passin pass:§",
    "openssl pkcs12 -passout §",
    "keytool -storepass §",
    "curl -u admin:§ https://gateway/",
    "curl --user admin:§ https://gateway/",
    "curl --proxy-user=admin:§ https://gateway/",
    // Assignments.
    "pin=§",
    "PIN=§",
    "pin = \"§\"",
    "PIN = \"§\" # mine",
    "export GATEPOST_PIN=§",
    "Environment=GATEPOST_PIN=§",
    "Environment=\"PIN=§\" \"LANG=C\"",
    "Environment='DB_PASSWORD=§'",
    "SetCredential=pin:§",
    "SetCredentialEncrypted=pin: §",
    "AWS_SECRET_ACCESS_KEY=§",
    "export AWS_SESSION_TOKEN=§",
    "aws_secret_access_key = §",
    "PGPASSWORD=§ psql",
    "tool[12]: opened with user_pin=§, slot 1",
    "pkcs11:token=gateway;object=device?pin-value=§",
    "key = \"pkcs11:token=gateway;object=device?pin-value=§\"",
    "GET /x?X-Amz-Signature=§&a=b",
    "GET /x?access_token=§ HTTP/1.1",
    "psk=\"§\"",
    "if pin == §",
    // Documents.
    "{\"pin\":\"§\"}",
    "{\"SecretAccessKey\": \"§\", \"Expiration\": \"x\"}",
    "{\"log\":\"{\\\"pin\\\":\\\"§\\\"}\"}",
    "{'password': '§'}",
    "{\"Token\":\"§\"}",
    "password: §",
    "  passphrase: \"§\"",
    "tool: password: §",
    "<password>§</password>",
    // Header fields.
    "Authorization: Bearer §",
    "curl -H 'Authorization: Basic §'",
    "curl -H \"X-Amz-Security-Token: §\" https://h/",
    "> authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=§",
    "Proxy-Authorization: Basic §",
    "Cookie: session=§",
    "X-Api-Key: §",
    // Addresses.
    "proxy = \"http://user:§@proxy:3128\"",
    "http_proxy=http://user:§@proxy:3128/",
    "amqps://user:§@[2001:db8::1]:5671",
    "user:§@proxy:3128",
    "proxy=user:§@proxy.example.com",
    "connecting to admin:§@10.0.0.1 failed",
];

#[test]
fn no_shape_lets_a_secret_through() {
    // A PIN, a password, one with punctuation, and one that begins like a path.
    for secret in ["74839201", "hunter2", "c0rrect-h0rse!", "Tr0ub4dor&3", "/aB3dE"] {
        for shape in SHAPES {
            // An ampersand ends a parameter of a URL, where it would have to be percent-encoded.
            let secret = match shape.contains("GET /") {
                true => secret.replace('&', "%26"),
                false => secret.to_owned(),
            };
            let line = shape.replace('§', &secret);
            let redacted = Redaction::remove_secrets(&line);
            assert!(!redacted.contains(&secret), "{line} became {redacted}");
            assert!(redacted.contains(REMOVED), "{line} became {redacted}");
        }
    }
    // Formats in which only values with digits are secrets.
    for shape in [
        "tool -p §",
        "mosquitto_pub -u gw -P §",
        "the PIN § was rejected",
        "the PIN is §",
        "PIN: §",
        "user-pin: §",
        "wrong PIN (§)",
    ] {
        let redacted = Redaction::remove_secrets(&shape.replace('§', "74839201"));
        assert!(!redacted.contains("74839201"), "{shape} became {redacted}");
    }
    for shape in ["the password is §", "password \"§\" refused", "Bearer §", "-p=§"] {
        let redacted = Redaction::remove_secrets(&shape.replace('§', "c0rrect-h0rse"));
        assert!(!redacted.contains("c0rrect"), "{shape} became {redacted}");
    }
}

#[test]
fn text_around_a_secret_is_kept() {
    for (line, expected) in [
        (
            "proxy = \"http://user:hunter2@proxy:3128\"",
            "proxy = \"http://[removed]@proxy:3128\"",
        ),
        (
            "see https://example.com/a and ftp://u:p@h",
            "see https://example.com/a and ftp://[removed]@h",
        ),
        ("http://user:p/w@d@host/x rest", "http://[removed]@host/x rest"),
        ("to admin:hunter2@10.0.0.1 failed", "to [removed]@10.0.0.1 failed"),
        (
            "pkcs11:token=gateway;object=device?pin-value=1234",
            "pkcs11:token=gateway;object=device?pin-value=[removed]",
        ),
        (
            "curl -H 'Authorization: Basic dXNlcjpodW50ZXI=' https://h/",
            "curl -H 'Authorization: [removed]' https://h/",
        ),
        ("pin=74839201", "pin=[removed]"),
        ("PIN=correct horse battery", "PIN=[removed]"),
        ("PIN = \"correct horse\" # mine", "PIN = [removed] # mine"),
        (
            "a tool[12]: pin=74839201 opened it",
            "a tool[12]: pin=[removed] opened it",
        ),
        ("tool --pin 74839201 --list", "tool --pin [removed] --list"),
        ("tool -p 74839201 -l", "tool -p [removed] -l"),
        ("[\"--pin\", \"1234\", \"-l\"]", "[\"--pin\", [removed], \"-l\"]"),
        (
            "Environment=\"PIN=correct horse\" \"LANG=C\"",
            "Environment=\"PIN=[removed]\" \"LANG=C\"",
        ),
        (
            "{\"SecretAccessKey\":\"abc\",\"Expiration\":\"x\"}",
            "{\"SecretAccessKey\":[removed],\"Expiration\":\"x\"}",
        ),
        ("{\"Token\": \"abc\"", "{\"Token\": [removed]"),
        ("key ASIAIOSFODNN7EXAMPLE used", "key [removed] used"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "[removed]"),
        ("a-wJalrXUtnFEMI_K7MDENG-bPxRfiCYEXAMPLEKEY", "[removed]"),
        ("the PIN 74839201 was rejected", "the PIN [removed] was rejected"),
        ("<password>hunter2</password>", "<password>[removed]</password>"),
    ] {
        assert_eq!(
            Redaction::remove_secrets(line).trim_end_matches('\n'),
            expected,
            "{line}"
        );
    }
}

/// Lines that mention secrets, look like one, or are common in bundles.
const READABLE: &[&str] = &[
    "token: waiting: the PIN of token \"gw\" is locked",
    "token: waiting",
    "the token rejected the PIN; next: put the right PIN in its place, then systemctl restart gatepost",
    "password for user camera is needed",
    "PIN: 3 tries are left",
    "the PIN of slot 1 has 2 tries left",
    "\"token\":{\"phase\":\"ready\"}",
    "\"token\":{\"phase\":\"ready\",\"key\":\"pkcs11:token=gateway;object=device\"}",
    "key = \"pkcs11:token=gateway;object=device\"",
    "pin-file = \"/etc/gatepost/pin\"",
    "pin = \"/run/credentials/gatepost.service/pin\"",
    "PIN=$PIN tool --pin ${PIN}",
    "tool --pin <PIN>",
    "LoadCredentialEncrypted=pin:/etc/credstore.encrypted/gatepost.pin",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/run/gatepost/loopback/user-camera",
    "certificate 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
    "Nov 30 12:00:01 gw-1 gatepostd[812]: session: connected to a1b2c3-ats.iot.us-east-2.amazonaws.com as gw-1",
    "user@1000.service: Deactivated successfully.",
    "getty@tty1.service loaded active running",
    "mail from admin@example.com to mailto:ops@example.com",
    "image registry/app:1.2@sha256:0123456789abcdef",
    "arn:aws:iam::123456789012:role/gateway@home",
    "at 2026-11-30T10:00:00@gw-1",
    "journalctl -p err -u gatepost",
    "mkdir -p /var/lib/gatepost",
    "iptables -p tcp --dport 8883",
    "gatepost allow --user camera --role-alias video",
    "gatepost-tpm-setup --token gateway --wait 30",
    "gatepost::secret::SecretString in src/secret.rs:12:5",
    "needs-pin = true",
    "\"pin_tries_left\": 3, \"pin\": null",
    "mqtt-endpoint = \"a1b2c3-ats.iot.us-east-2.amazonaws.com:8883\"",
    "uid=994(gatepost) gid=994(gatepost) groups=994(gatepost),115(tss)",
];

#[test]
fn lines_without_secrets_are_unchanged() {
    for line in READABLE {
        assert_eq!(Redaction::remove_secrets(line), format!("{line}\n"));
    }
}

/// Words of lines that are common in bundles.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,10}",
        "[a-z]{1,8}[:,.;]",
        "[0-9]{1,9}",
        "(/[a-z0-9_.-]{1,8}){1,4}",
        "[a-z]{2,6}\\[[0-9]{1,5}\\]:",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
        "[a-z]{1,6}@[a-z]{1,6}\\.service",
        "[a-z]{2,8}=[a-z0-9]{1,8}",
        "\"[a-z ]{1,12}\"",
        "--[a-z]{2,8}",
        "(token|session|role alias|PIN|key): [a-z]{2,8}",
        "[0-9a-f]{64}",
        "https://[a-z]{1,8}\\.com/[a-z]{0,8}",
    ]
    .prop_filter("a name of the table", |word| {
        let name: String = word.chars().filter(char::is_ascii_alphabetic).collect();
        super::names::kind(&name).is_none() && super::names::kind(word.split(['=', ':']).next().unwrap_or("")).is_none()
            || word.starts_with("token: ")
            || word.starts_with("PIN: ")
    })
}

proptest! {
    #[test]
    fn ordinary_lines_are_unchanged(words in prop::collection::vec(word(), 0..12)) {
        let line = words.join(" ");
        let redacted = Redaction::remove_secrets(&line);
        prop_assert_eq!(redacted.trim_end_matches('\n'), &line);
    }

    #[test]
    fn any_secret_is_removed_from_any_shape(
        shape in prop::sample::select(SHAPES),
        secret in "[A-Z][a-z0-9]{2}[A-Za-z0-9!#%*+._-]{3,20}[0-9]",
    ) {
        let line = shape.replace('§', &secret);
        let redacted = Redaction::remove_secrets(&line);
        prop_assert!(!redacted.contains(&secret), "{} became {}", line, redacted);
    }

    #[test]
    fn no_line_panics_or_grows_lines(text in any::<String>()) {
        let lines = text.lines().count();
        prop_assert!(Redaction::remove_secrets(&text).lines().count() <= lines);
    }
}
