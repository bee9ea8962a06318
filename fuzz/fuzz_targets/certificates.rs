//! Files of certificates that an administrator installs: the device's, the CA chain, the roots. Whatever they contain, they are accepted,
//! or refused with a message that does not repeat their content.

#![no_main]

use std::fs;
use std::path::Path;

use fuzz::FixedClock;
use gatepost::identity::{Certificate, CertificateError, Source, roots};
use libfuzzer_sys::fuzz_target;

/// The public key of the seeds' device certificate, as SubjectPublicKeyInfo.
const KEY_INFO: &[u8] = include_bytes!("../keys/device.spki.der");

thread_local! {
    static FOLDER: tempfile::TempDir = fuzz::folder();
}

fuzz_target!(|input: &[u8]| {
    let parts = fuzz::parts(input);
    if parts.len() > 3 {
        return;
    }
    FOLDER.with(|folder| {
        let [device, chain, root_ca] = ["device.pem", "chain.pem", "roots.pem"].map(|name| folder.path().join(name));
        let part = |index: usize| parts.get(index).copied();
        fs::write(&device, parts[0]).expect("a file");
        fs::write(&chain, part(1).unwrap_or_default()).expect("a file");
        fs::write(&root_ca, part(2).unwrap_or(parts[0])).expect("a file");
        let chain = part(1).is_some().then_some(chain.as_path());
        load(&device, chain, input);
        if let Err(problem) = roots::load(Some(&root_ca)) {
            assert_refusal(&problem.to_string(), input);
        }
    });
});

fn load(device: &Path, chain: Option<&Path>, input: &[u8]) {
    let source = Source {
        path: device,
        content: None,
        ca_chain: chain,
        thing_name: None,
    };
    match Certificate::load(&source, Some(KEY_INFO), &FixedClock::default()) {
        Ok(loaded) => {
            let certificate = loaded.certificate;
            assert!(certificate.not_before <= certificate.not_after);
            assert_eq!(certificate.id.len(), 64);
            assert!(!certificate.thing_name.is_empty() && certificate.thing_name.len() <= 128);
            fuzz::assert_readable(&certificate.subject);
            if let Some(warning) = loaded.warning {
                assert_refusal(&warning.to_string(), input);
            }
            let again = Certificate::load(&source, Some(KEY_INFO), &FixedClock::default())
                .expect("the same files are taken again");
            assert_eq!(again.certificate, certificate);
            // Without the token's key the same certificate is found, or another one that is not a CA's.
            let _ = Certificate::load(&source, None, &FixedClock::default());
        }
        Err(CertificateError::Missing) => {}
        Err(CertificateError::NotYetValid(_, problem) | CertificateError::Unusable(problem)) => {
            assert_refusal(&problem.to_string(), input);
        }
    }
}

/// Asserts that a reason is readable and contains no long piece of the file, which might be a private key.
fn assert_refusal(reason: &str, input: &[u8]) {
    fuzz::assert_readable(reason);
    for line in input.split(|byte| *byte == b'\n').filter(|line| line.len() >= 48) {
        if let Ok(line) = std::str::from_utf8(line) {
            assert!(!reason.contains(line), "{line:?} in {reason:?}");
        }
    }
}
