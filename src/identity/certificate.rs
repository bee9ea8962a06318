//! The device certificate as it lies on disk: read, and refused with a reason unless it can be used.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::clock::{Clock, is_set, rfc3339};
use crate::config::check_thing_name;
use crate::foreign_text;
use crate::problem::Problem;

/// A certificate chain that belongs to the key and is valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The common name, which is the thing name.
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
    /// The CA certificates to send after it.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Why a certificate cannot be used.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// There is none.
    Missing,
    /// Valid only from then on: time or a set clock mends it.
    NotYetValid(SystemTime, Problem),
    /// Only another file mends it.
    Unusable(Problem),
}

impl Certificate {
    /// Reads the device certificate at `path` (whatever follows it in the file counts as chain) and the CA certificates at
    /// `ca_chain`, and checks them against the token's public key and the clock.
    ///
    /// # Errors
    /// With the first reason not to use it.
    pub fn load(path: &Path, ca_chain: Option<&Path>, key_info: &[u8], clock: &dyn Clock) -> Result<Self, Refusal> {
        let mut certificates = read_pem(path)?;
        if let Some(ca_chain) = ca_chain {
            let extra = read_pem(ca_chain).map_err(|refusal| match refusal {
                Refusal::Missing => unusable(ca_chain, "does not exist", "correct identity.ca-chain"),
                other => other,
            })?;
            for certificate in extra {
                if !certificates.contains(&certificate) {
                    certificates.push(certificate);
                }
            }
        }
        check(path, certificates, key_info, clock)
    }
}

/// The thing name in the certificate at `path`, as far as that can be said without the key; `None` where there is no usable
/// certificate.
pub fn thing_name(path: &Path) -> Option<String> {
    let certificates = read_pem(path).ok()?;
    let (_, device) = X509Certificate::from_der(certificates.first()?).ok()?;
    common_name(path, &device).ok()
}

fn read_pem(path: &Path) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    let text = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Refusal::Missing,
        _ => unusable(
            path,
            &format!("cannot be read: {}", foreign_text::clean(error)),
            "make it readable for gatepost's user",
        ),
    })?;
    let damaged = |why: String| {
        unusable(
            path,
            &format!("is no usable PEM file: {why}"),
            "copy the certificate there again",
        )
    };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        // The library's error has the damaged line in it, which may be a private key.
        .map_err(|_| damaged("its BEGIN and END lines or the base64 between them are damaged".into()))?;
    match certificates.is_empty() {
        true => Err(damaged("it has no complete BEGIN/END CERTIFICATE block".into())),
        false => Ok(certificates),
    }
}

fn check(
    path: &Path,
    certificates: Vec<CertificateDer<'static>>,
    key_info: &[u8],
    clock: &dyn Clock,
) -> Result<Certificate, Refusal> {
    let mut parsed = Vec::with_capacity(certificates.len());
    for (index, der) in certificates.iter().enumerate() {
        match X509Certificate::from_der(der) {
            Ok((_, certificate)) => parsed.push(certificate),
            Err(_) => {
                let what = format!(
                    "has a certificate (number {}) whose content is no X.509 certificate",
                    index + 1
                );
                return Err(unusable(path, &what, "copy the certificate there again"));
            }
        }
    }
    let Some(device) = parsed.first() else {
        return Err(Refusal::Missing);
    };
    check_key(path, &parsed, key_info)?;
    if device.is_ca() {
        return Err(begins_with_ca(path, device));
    }
    let thing_name = common_name(path, device)?;
    check_order(path, &parsed)?;
    let (not_before, not_after) = (
        moment(device.validity().not_before.timestamp()),
        moment(device.validity().not_after.timestamp()),
    );
    check_validity(path, not_before, not_after, clock)?;
    let subject = device.subject().to_string();
    drop(parsed);
    let mut certificates = certificates.into_iter();
    let Some(leaf) = certificates.next() else {
        return Err(Refusal::Missing);
    };
    Ok(Certificate {
        thing_name,
        id: certificate_id(&leaf),
        subject,
        not_before,
        not_after,
        leaf,
        chain: certificates.collect(),
    })
}

/// The public keys are compared as bytes: rustls-webpki would refuse the X.509 v1 certificates that the AWS article's own
/// `openssl x509 -req` makes.
fn check_key(path: &Path, parsed: &[X509Certificate], key_info: &[u8]) -> Result<(), Refusal> {
    let ours = parsed
        .iter()
        .position(|certificate| certificate.public_key().raw == key_info);
    match (ours, parsed.first()) {
        (Some(0), _) => Ok(()),
        (Some(place), _) => Err(unusable(
            path,
            &format!("has the device certificate in place {} of the chain", place + 1),
            "put the device certificate first, then its issuer, and so on",
        )),
        // That a CA's key is not ours goes without saying; that it is a CA does not.
        (None, Some(first)) if first.is_ca() => Err(begins_with_ca(path, first)),
        (None, _) => Err(unusable(
            path,
            "is for another key than the one in the token",
            "have the signing request device.csr signed (`gatepost csr` prints it)",
        )),
    }
}

fn begins_with_ca(path: &Path, first: &X509Certificate) -> Refusal {
    unusable(
        path,
        &format!("begins with a CA certificate ({})", first.subject()),
        "put the device certificate there; CA certificates belong into identity.ca-chain",
    )
}

fn common_name(path: &Path, device: &X509Certificate) -> Result<String, Refusal> {
    let mut names = device
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok());
    let step = "sign the request again without changing its subject";
    match (names.next(), names.next()) {
        (Some(name), None) => {
            check_thing_name(name)
                .map_err(|why| unusable(path, &format!("has a common name that is no thing name: {why}"), step))?;
            Ok(name.to_owned())
        }
        (None, _) => Err(unusable(
            path,
            "has no common name, and the common name is the thing name",
            step,
        )),
        (Some(_), Some(_)) => Err(unusable(path, "has more than one common name", step)),
    }
}

/// AWS builds the path from what is sent, so each certificate must be followed by its issuer.
fn check_order(path: &Path, parsed: &[X509Certificate]) -> Result<(), Refusal> {
    for pair in parsed.windows(2) {
        if let [certificate, issuer] = pair
            && certificate.issuer() != issuer.subject()
        {
            let what = format!(
                "and identity.ca-chain are no chain: {} was issued by {}, and {} follows it",
                certificate.subject(),
                certificate.issuer(),
                issuer.subject()
            );
            return Err(unusable(path, &what, "put each certificate's issuer after it"));
        }
    }
    Ok(())
}

/// While the clock is unset there is nothing to compare with: the certificate is looked at again once it is set.
fn check_validity(path: &Path, from: SystemTime, until: SystemTime, clock: &dyn Clock) -> Result<(), Refusal> {
    let now = clock.wall();
    if !is_set(clock) {
        return Ok(());
    }
    if now < from {
        let message = format!(
            "{} is valid only from {} on; it is {} by this machine's clock",
            path.display(),
            rfc3339(from),
            rfc3339(now)
        );
        return Err(Refusal::NotYetValid(
            from,
            Problem::wait(message).next("check the clock: timedatectl"),
        ));
    }
    if now > until {
        let what = format!("expired on {}", rfc3339(until));
        return Err(unusable(
            path,
            &what,
            "have the signing request device.csr signed again, and check the clock: timedatectl",
        ));
    }
    Ok(())
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

fn moment(unix_seconds: i64) -> SystemTime {
    match u64::try_from(unix_seconds) {
        Ok(seconds) => SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        Err(_) => SystemTime::UNIX_EPOCH,
    }
}

fn unusable(path: &Path, what: &str, next: &str) -> Refusal {
    Refusal::Unusable(Problem::configuration(format!("{} {what}", path.display())).next(next))
}
