//! Creates the certificate signing request, once for each key and subject, and stores it.

use std::fs;
use std::path::Path;

use log::Level;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, string::PrintableString};
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::signing_key::{RequestKey, TokenKey};
use crate::atomic_file;
use crate::config::Subject;
use crate::event::{Event, journal};
use crate::problem::Problem;

/// Returns the object identifier of a subject attribute, and whether RFC 5280 (appendix A) requires PrintableString.
fn find_attribute_type(name: &str) -> (&'static [u64], bool) {
    match name {
        "country" => (&[2, 5, 4, 6], true),
        "state" => (&[2, 5, 4, 8], false),
        "locality" => (&[2, 5, 4, 7], false),
        "organization" => (&[2, 5, 4, 10], false),
        "organizational-unit" => (&[2, 5, 4, 11], false),
        // The subject attribute, not the certificate's serial number.
        "serial-number" => (&[2, 5, 4, 5], true),
        "dn-qualifier" => (&[2, 5, 4, 46], true),
        // The common name.
        _ => (&[2, 5, 4, 3], false),
    }
}

/// Lists the subject's attributes in the order of the request, which ends with the common name.
fn list_attributes(subject: &Subject) -> impl Iterator<Item = (&'static str, &str)> {
    let others = subject.attributes.iter().map(|(name, value)| (*name, value.as_str()));
    others.chain([("common-name", subject.common_name.as_str())])
}

/// Returns the request in PEM. The file at `path` is used if it still has this subject and key, and is replaced otherwise.
///
/// A new request costs a signature in the token and a write to the disk.
///
/// # Errors
/// If the token does not sign or the file cannot be written.
pub(super) fn ensure(path: &Path, subject: &Subject, key: &TokenKey) -> Result<String, Problem> {
    if let Some(text) = fs::read_to_string(path)
        .ok()
        .filter(|text| is_current(text, subject, key))
    {
        return Ok(text);
    }
    let pem = sign_request(subject, key)?;
    // Replaced atomically, so that a program that watches the folder never reads an incomplete request.
    atomic_file::replace(path, pem.as_bytes()).map_err(|error| {
        Problem::configuration(format!(
            "the signing request cannot be written to {}: {error}",
            path.display()
        ))
        .next("check the folder's owner and free space")
        .about(Event::StateUnwritable)
    })?;
    journal!(Level::Info, Event::CsrWritten; "identity: signing request for {} written to {}", subject.common_name, path.display());
    Ok(pem)
}

/// Makes a signing request in PEM.
///
/// # Errors
/// If the token does not sign, or the subject cannot stand in a request.
pub fn sign_request(subject: &Subject, key: &TokenKey) -> Result<String, Problem> {
    let params = build_parameters(subject)?;
    let request_key = RequestKey::new(key);
    let made = params.serialize_request(&request_key).and_then(|request| request.pem());
    made.map_err(|error| match request_key.into_failure() {
        Some(failure) => failure.problem().clone(),
        None => Problem::configuration(format!("the signing request cannot be made: {error}"))
            .next("correct identity.subject"),
    })
}

fn build_parameters(subject: &Subject) -> Result<CertificateParams, Problem> {
    let mut distinguished_name = DistinguishedName::new();
    for (name, text) in list_attributes(subject) {
        let (oid, printable) = find_attribute_type(name);
        let value = match printable {
            false => DnValue::Utf8String(text.to_owned()),
            true => DnValue::PrintableString(PrintableString::try_from(text).map_err(|_| {
                let message = format!("identity.subject.{name} may have only letters, digits, blanks and '()+,-./:=?");
                Problem::configuration(message).next("correct identity.subject")
            })?),
        };
        distinguished_name.push(DnType::from_oid(oid), value);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name;
    Ok(params)
}

/// Returns whether a stored request has this key and the same subject attributes.
pub fn is_current(text: &str, subject: &Subject, key: &TokenKey) -> bool {
    let Ok(der) = CertificateSigningRequestDer::from_pem_slice(text.as_bytes()) else {
        return false;
    };
    let Ok((_, request)) = X509CertificationRequest::from_der(&der) else {
        return false;
    };
    let info = &request.certification_request_info;
    let written = info
        .subject
        .iter_attributes()
        .map(|part| (part.attr_type().to_id_string(), part.as_str().ok()));
    let expected = list_attributes(subject).map(|(name, text)| {
        let oid: Vec<String> = find_attribute_type(name).0.iter().map(u64::to_string).collect();
        (oid.join("."), Some(text))
    });
    info.subject_pki.raw == key.public().subject_public_key_info() && written.eq(expected)
}
