//! Responses of an EST server: certificates in every form, attributes, and error messages.

#![no_main]

use gatepost::cloud::enrolment::est::{Answer, Operation, Reply, interpret};
use gatepost::cloud::enrolment::{CredentialKind, RequestAttributes, UnsignedRequest, pkcs7};
use libfuzzer_sys::fuzz_target;

/// The key of a renewal, which differs from the certificate's.
const KEY_INFO: &[u8] = include_bytes!("../keys/device.spki.der");

fuzz_target!(|input: &[u8]| {
    match pkcs7::certificates(input) {
        Ok(found) => {
            assert!((1..=pkcs7::MAX_CERTIFICATES).contains(&found.len()));
            for certificate in &found {
                assert!(!certificate.is_empty());
                if let Some(request) = UnsignedRequest::like(certificate, KEY_INFO) {
                    assert!(request.to_be_signed().len() > KEY_INFO.len());
                }
            }
        }
        Err(error) => fuzz::assert_readable(&error.to_string()),
    }
    if let Some(problem) = RequestAttributes::parse(input).and_then(|found| found.problem("est.example")) {
        fuzz::assert_readable(&problem.to_string());
    }
    let [high, low, rest @ ..] = input else {
        return;
    };
    let retry_after = str::from_utf8(rest).ok();
    let answer = Answer {
        status: u16::from_be_bytes([*high, *low]) % 700,
        content_type: Some("text/plain"),
        retry_after,
        date: None,
        body: rest,
    };
    match interpret(Operation::Enrol, CredentialKind::Secret, "est.example", &answer) {
        Reply::Certificates(found) => assert!(!found.is_empty()),
        Reply::Wait(wait) => assert!((1..=86_400).contains(&wait.as_secs())),
        Reply::Failed(failure) => {
            fuzz::assert_readable(&failure.problem.to_string());
            assert!(failure.problem.message.len() < 4096);
        }
    }
});
