//! Reads the device certificate and its CA certificates, and refuses them with a reason if they cannot be used.

use std::path::Path;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::device::find_device;
use super::error::{CertificateError, unusable};
use super::name::{common_names, describe};
use super::signature::find_refused_algorithm;
use super::validity::{check_validity, to_system_time, to_unix_seconds};
use super::{chain, name_constraints, usage};
use crate::clock::{Clock, is_set};
use crate::config::{IdentityConfig, check_thing_name};
use crate::pem_file::{self, ReadError};
use crate::problem::Problem;

/// A certificate chain that belongs to the key and is currently valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The thing name: configured, assigned by AWS, or else the common name.
    pub thing_name: String,
    /// AWS's certificate ID, which is SHA-256 of the DER in 64 lowercase hex digits.
    pub id: String,
    /// The subject as text.
    pub subject: String,
    /// The start of its validity.
    pub not_before: SystemTime,
    /// The end of its validity.
    pub not_after: SystemTime,
    /// The device certificate.
    pub leaf: CertificateDer<'static>,
    /// The CA certificates that are sent after it, each followed by its issuer.
    pub chain: Vec<CertificateDer<'static>>,
}

/// The source of a certificate, and the thing name that overrides its common name.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// The device certificate's file.
    pub path: &'a Path,
    /// Its content, if it was already read.
    pub content: Option<&'a [u8]>,
    /// The file of CA certificates.
    pub ca_chain: Option<&'a Path>,
    /// The thing name, if it is not the common name.
    pub thing_name: Option<String>,
}

/// A certificate that can be used, and a warning about it.
#[derive(Debug)]
pub struct Loaded {
    /// The certificate.
    pub certificate: Certificate,
    /// The problems that AWS will have with it, joined into one.
    pub warning: Option<Problem>,
}

impl<'a> From<&'a IdentityConfig> for Source<'a> {
    fn from(config: &'a IdentityConfig) -> Self {
        Self {
            path: &config.certificate,
            content: None,
            ca_chain: config.ca_chain.as_deref(),
            thing_name: config.own_thing_name(),
        }
    }
}

impl Certificate {
    /// Reads the device certificate and the CA certificates, builds the path between them, and checks it against the token's
    /// public key and the clock. Other certificates in the device certificate's file count as CA certificates. Without a key,
    /// the first certificate that is not a CA certificate is taken as the device's.
    ///
    /// # Errors
    /// With the first reason why it cannot be used.
    pub fn load(source: &Source, key_info: Option<&[u8]>, clock: &dyn Clock) -> Result<Loaded, CertificateError> {
        let (all, mut warnings) = read_files(source)?;
        let mut parsed = parse(source.path, &all)?;
        let place = find_device(source.path, &parsed, key_info)?;
        let device = parsed.remove(place);
        // Other certificates for the same key are older or newer ones of this gateway, not CA certificates.
        parsed.retain(|other| other.public_key().raw != device.public_key().raw);
        if let Some(algorithm) = find_refused_algorithm(&device) {
            let fault = format!("is signed with {algorithm}, which AWS IoT does not accept");
            return Err(unusable(
                source.path,
                &fault,
                "have the request signed again with SHA-256",
            ));
        }
        let thing_name = match &source.thing_name {
            Some(name) => name.clone(),
            None => extract_thing_name(source.path, &device)?,
        };
        let now = is_set(clock).then(|| to_unix_seconds(clock.aws_now()));
        let path =
            chain::build_path(&device, &parsed, now.unwrap_or_default()).map_err(|why| report_no_path(source, &why))?;
        let (not_before, not_after) = (
            to_system_time(device.validity().not_before.timestamp()),
            to_system_time(device.validity().not_after.timestamp()),
        );
        check_validity(source.path, not_before, not_after, clock)?;
        warnings.extend(usage::check_device(source.path, &device));
        if let (Some(chain), true) = (source.ca_chain, path.is_empty()) {
            let message = format!("{} has no CA certificate in it, only the device's own", chain.display());
            warnings.push(Problem::configuration(message).next(
                "put the certificate of the CA that has signed the device's there, or leave identity.ca-chain out",
            ));
        }
        let issuers = path.iter().filter_map(|place| parsed.get(*place));
        let leaf = to_der(&device);
        warnings.extend(issuers.clone().flat_map(|ca| usage::check_ca(ca, now)));
        let above: Vec<&X509Certificate> = issuers.clone().collect();
        warnings.extend(name_constraints::find_violations(source.path, &device, &above));
        // Added last, because the first problem determines the remedy, and this one may not be a fault.
        let unverified = chain::find_unverified(&device, issuers.clone());
        warnings.extend(
            unverified
                .iter()
                .map(|step| usage::report_unverified(source.path, step)),
        );
        let certificate = Self {
            thing_name,
            id: certificate_id(&leaf),
            subject: describe(device.subject()),
            not_before,
            not_after,
            chain: issuers.clone().map(to_der).collect(),
            leaf,
        };
        Ok(Loaded {
            certificate,
            warning: Problem::joined(warnings),
        })
    }
}

/// Determines the thing name from the configuration or the certificate, without the key: the certificate is the first in its
/// file that is not a CA certificate, as in [`Certificate::load`]. `None` if there is no usable certificate.
pub fn find_thing_name(config: &IdentityConfig) -> Option<String> {
    if let Some(name) = config.own_thing_name() {
        return Some(name);
    }
    let file = pem_file::read(&config.certificate).ok()?;
    let parsed = parse(&config.certificate, &file.certificates).ok()?;
    let device = parsed.get(find_device(&config.certificate, &parsed, None).ok()?)?;
    extract_thing_name(&config.certificate, device).ok()
}

/// Reads the certificates of both files without duplicates, and returns them with problems of the files.
fn read_files(source: &Source) -> Result<(Vec<CertificateDer<'static>>, Vec<Problem>), CertificateError> {
    let mut warnings = Vec::new();
    let mut all: Vec<CertificateDer<'static>> = Vec::new();
    for path in [Some(source.path), source.ca_chain].into_iter().flatten() {
        let is_own = path == source.path && all.is_empty();
        let read = match source.content.filter(|_| is_own) {
            Some(content) => pem_file::parse(content).map_err(ReadError::NoCertificates),
            None => pem_file::read(path),
        };
        let file = read.map_err(|error| match error {
            ReadError::Missing if is_own => CertificateError::Missing,
            ReadError::Missing => unusable(path, "does not exist", "correct identity.ca-chain"),
            other => unusable(path, &other.describe(), other.next_step()),
        })?;
        if file.has_private_key {
            let content = pem_file::Content::PrivateKey;
            let message = format!("{} {content} beside the certificate", path.display());
            warnings.push(Problem::configuration(message).next(content.next_step()));
        }
        for certificate in file.certificates {
            if !all.contains(&certificate) {
                all.push(certificate);
            }
        }
    }
    Ok((all, warnings))
}

fn parse<'a>(path: &Path, ders: &'a [CertificateDer<'static>]) -> Result<Vec<X509Certificate<'a>>, CertificateError> {
    let parsed = ders.iter().enumerate().map(|(index, der)| {
        X509Certificate::from_der(der)
            .map(|(_, certificate)| certificate)
            .map_err(|_| {
                let content = pem_file::Content::NotX509(index + 1);
                unusable(path, &content.to_string(), content.next_step())
            })
    });
    parsed.collect()
}

fn report_no_path(source: &Source, why: &str) -> CertificateError {
    unusable(
        source.path,
        why,
        "put the certificate of the CA that has signed it into identity.ca-chain, or leave identity.ca-chain out if AWS IoT \
         knows the device certificate already",
    )
}

fn extract_thing_name(path: &Path, device: &X509Certificate) -> Result<String, CertificateError> {
    let step = "sign the request again without changing its subject, or set identity.thing-name";
    match common_names(device.subject()).as_slice() {
        [Some(name)] => {
            check_thing_name(name).map_err(|why| {
                unusable(
                    path,
                    &format!("has a common name that is not a thing name: {why}"),
                    step,
                )
            })?;
            Ok(name.clone())
        }
        [None] => Err(unusable(path, "has a common name that is not text", step)),
        [] => Err(unusable(
            path,
            "has no common name, and the common name is the thing name",
            step,
        )),
        _ => Err(unusable(path, "has more than one common name", step)),
    }
}

fn to_der(certificate: &X509Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.as_raw().to_vec())
}

/// Returns the ID of a certificate: the SHA-256 of its DER in lowercase hex, as AWS has it.
pub fn certificate_id(leaf: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, leaf);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
