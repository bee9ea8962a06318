//! The device certificate as it lies on disk: read, and refused with a reason unless it can be used.

use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::device::find_device;
use super::error::{CertificateError, unusable};
use super::name::{common_names, describe};
use super::signature::refused_by_aws;
use super::validity::{check_validity, moment, seconds};
use super::{chain, name_constraints, usage};
use crate::clock::{Clock, is_set};
use crate::config::{IdentityConfig, check_thing_name};
use crate::pem_file::{self, ReadError};
use crate::problem::Problem;

/// A certificate chain that belongs to the key and is valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The thing name: identity.thing-name, or else the common name.
    pub thing_name: String,
    /// SHA-256 of the certificate's DER in 64 lowercase hex digits, which is AWS's certificate ID.
    pub id: String,
    /// The subject as text.
    pub subject: String,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// The device certificate.
    pub leaf: CertificateDer<'static>,
    /// The CA certificates to send after it: its issuer, the issuer's issuer, and so on.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Where a certificate comes from, and the name that it does not have to have in it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The device certificate's file.
    pub path: &'a Path,
    /// Its content, where it was read already.
    pub content: Option<&'a [u8]>,
    /// The file of CA certificates.
    pub ca_chain: Option<&'a Path>,
    /// The thing name where it is not the common name.
    pub thing_name: Option<&'a str>,
}

/// A certificate that can be used, and what should be looked at all the same.
#[derive(Debug)]
pub struct Loaded {
    /// The certificate.
    pub certificate: Certificate,
    /// What will be in the way at AWS, all in one.
    pub warning: Option<Problem>,
}

impl<'a> From<&'a IdentityConfig> for Source<'a> {
    fn from(config: &'a IdentityConfig) -> Self {
        Self {
            path: &config.certificate,
            content: None,
            ca_chain: config.ca_chain.as_deref(),
            thing_name: config.thing_name.as_deref(),
        }
    }
}

impl Certificate {
    /// Reads the device certificate (whatever else is in its file counts as CA certificate) and the CA certificates, finds the
    /// path between them, and checks all of it against the token's public key and the clock. Without a key, the first
    /// certificate that is no CA's is the device's.
    ///
    /// # Errors
    /// With the first reason not to use it.
    pub fn load(source: &Source, key_info: Option<&[u8]>, clock: &dyn Clock) -> Result<Loaded, CertificateError> {
        let (all, mut warnings) = read(source)?;
        let mut parsed = parse(source.path, &all)?;
        let place = find_device(source.path, &parsed, key_info)?;
        let device = parsed.remove(place);
        // Others for the same key are older or newer ones of this gateway's, and no CA's.
        parsed.retain(|other| other.public_key().raw != device.public_key().raw);
        if let Some(algorithm) = refused_by_aws(&device) {
            let what = format!("is signed with {algorithm}, which AWS IoT does not take");
            return Err(unusable(
                source.path,
                &what,
                "have the request signed again with SHA-256",
            ));
        }
        let thing_name = match source.thing_name {
            Some(name) => name.to_owned(),
            None => thing_name_of(source.path, &device)?,
        };
        let now = is_set(clock).then(|| seconds(clock.aws_now()));
        let path = chain::build(&device, &parsed, now.unwrap_or_default()).map_err(|why| no_path(source, &why))?;
        let (not_before, not_after) = (
            moment(device.validity().not_before.timestamp()),
            moment(device.validity().not_after.timestamp()),
        );
        check_validity(source.path, not_before, not_after, clock)?;
        warnings.extend(usage::of_device(source.path, &device));
        if let (Some(chain), true) = (source.ca_chain, path.is_empty()) {
            let message = format!("{} has no CA certificate in it, only the device's own", chain.display());
            warnings.push(Problem::configuration(message).next(
                "put the certificate of the CA that has signed the device's there, or leave identity.ca-chain out",
            ));
        }
        let issuers = path.iter().filter_map(|place| parsed.get(*place));
        let leaf = der(&device);
        warnings.extend(issuers.clone().flat_map(|ca| usage::of_ca(ca, now)));
        let above: Vec<&X509Certificate> = issuers.clone().collect();
        warnings.extend(name_constraints::violations(source.path, &device, &above));
        // Last, because the first problem decides who can mend them all, and this one is perhaps none.
        let unverified = chain::unverified(&device, issuers.clone());
        warnings.extend(unverified.iter().map(|step| usage::of_step(source.path, step)));
        let certificate = Self {
            thing_name,
            id: certificate_id(&leaf),
            subject: describe(device.subject()),
            not_before,
            not_after,
            chain: issuers.clone().map(der).collect(),
            leaf,
        };
        Ok(Loaded {
            certificate,
            warning: Problem::joined(warnings),
        })
    }
}

/// Reads the thing name from the configuration or the certificate, as far as that can be done without the key: the certificate is
/// the first in its file that is no CA's, as in [`Certificate::load`]. `None` where there is no usable one.
pub fn thing_name(config: &IdentityConfig) -> Option<String> {
    if config.thing_name.is_some() {
        return config.thing_name.clone();
    }
    let file = pem_file::read(&config.certificate).ok()?;
    let parsed = parse(&config.certificate, &file.certificates).ok()?;
    let device = parsed.get(find_device(&config.certificate, &parsed, None).ok()?)?;
    thing_name_of(&config.certificate, device).ok()
}

/// The certificates of both files, each once, and what is wrong with the files themselves.
fn read(source: &Source) -> Result<(Vec<CertificateDer<'static>>, Vec<Problem>), CertificateError> {
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
            other => unusable(path, &other.what(), other.next_step()),
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

fn no_path(source: &Source, why: &str) -> CertificateError {
    unusable(
        source.path,
        why,
        "put the certificate of the CA that has signed it into identity.ca-chain, or leave identity.ca-chain out if AWS IoT \
         knows the device certificate already",
    )
}

fn thing_name_of(path: &Path, device: &X509Certificate) -> Result<String, CertificateError> {
    let step = "sign the request again without changing its subject, or set identity.thing-name";
    match common_names(device.subject()).as_slice() {
        [Some(name)] => {
            check_thing_name(name)
                .map_err(|why| unusable(path, &format!("has a common name that is no thing name: {why}"), step))?;
            Ok(name.clone())
        }
        [None] => Err(unusable(path, "has a common name that is no text", step)),
        [] => Err(unusable(
            path,
            "has no common name, and the common name is the thing name",
            step,
        )),
        _ => Err(unusable(path, "has more than one common name", step)),
    }
}

fn der(certificate: &X509Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.as_raw().to_vec())
}

fn certificate_id(leaf: &CertificateDer) -> String {
    ring::digest::digest(&ring::digest::SHA256, leaf)
        .as_ref()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
