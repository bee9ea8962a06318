//! PEM blocks, and texts that only mention them.

use super::super::{REMOVED, Redaction};
use crate::pem_file::Content;

#[test]
fn a_pem_block_is_removed_as_a_whole() {
    let text = "before\n-----BEGIN PRIVATE KEY-----\nMIGH\nabc\n-----END PRIVATE KEY-----\nafter\n-----BEGIN X-----";
    assert_eq!(
        Redaction::remove_secrets(text),
        "before\n[removed] (a PEM block)\nafter\n[removed] (a PEM block)\n"
    );
    let one_line = "x -----BEGIN PRIVATE KEY-----\\nMIGH\\n-----END PRIVATE KEY-----\nafter";
    assert_eq!(Redaction::remove_secrets(one_line), "[removed] (a PEM block)\nafter\n");
}

#[test]
fn nothing_of_a_pem_block_is_shown_and_what_follows_it_is() {
    let after = "12:00:01 gw gatepostd[7]: state: ready, with nothing to report";
    for block in [
        "-----BEGIN EC PRIVATE KEY-----\nSECRET\nSECRET=\n-----END EC PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,SECRET\nDEK-Info: AES-128-CBC,SECRET\n\nSECRET\n-----END EC PRIVATE KEY-----",
        // Its END line is missing.
        "-----BEGIN EC PRIVATE KEY-----\nSECRET\nSECRET=",
        "-----BEGIN CERTIFICATE-----\nSECRET\nSECRET SECRET",
        "12:00 gw app[1]: -----BEGIN EC PRIVATE KEY-----\n12:00 gw app[1]: SECRET\n12:00 gw app[1]: SECRET=",
        "12:00 gw app[1]: -----BEGIN EC PRIVATE KEY-----\nSECRET\nSECRET=",
        // Files without a last line break, joined.
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE----------BEGIN EC PRIVATE KEY-----\nSECRET\nSECRET=",
        "-----END CERTIFICATE----------BEGIN EC PRIVATE KEY-----\nSECRET\n-----END EC PRIVATE KEY-----",
        "-----BEGIN X-----\n-----BEGIN EC PRIVATE KEY-----\nSECRET\n-----END EC PRIVATE KEY-----",
        "my key is -----BEGIN EC PRIVATE KEY-----\nSECRET\n-----END EC PRIVATE KEY-----",
        "key = -----BEGIN CERTIFICATE-----\nSECRET\n-----END CERTIFICATE-----",
        "key = -----BEGIN CERTIFICATE----- SECRET SECRET -----END CERTIFICATE-----",
        "begins with -----BEGIN CERTIFICATE----------BEGIN PRIVATE KEY-----\nSECRET",
    ] {
        let shown = Redaction::remove_secrets(&format!("{block}\n{after}\n"));
        assert!(!shown.contains("SECRET") && shown.contains(REMOVED), "{block}: {shown}");
        assert!(shown.ends_with(&format!("{after}\n")), "{block}: {shown}");
    }
}

#[test]
fn the_next_steps_for_a_certificate_that_is_none_are_shown() {
    for content in [
        Content::Text,
        Content::BareBase64,
        Content::ChangedMarks,
        Content::TextBesideMarks,
    ] {
        let step = content.next_step();
        let text = format!("device.pem cannot be used; next: {step}\nafter, with some more words in it\n");
        assert_eq!(Redaction::remove_secrets(&text), text);
    }
}
