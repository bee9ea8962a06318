//! Builds the path from the device certificate to its CA out of whatever certificates there are, by their signatures.
//!
//! Names prove nothing: two CAs of a fleet may have the same one, and an image for thousands has both the old and the new CA.

use x509_parser::certificate::X509Certificate;

use super::name::describe;
use super::signature::{Proof, describe_signature, verify};

/// AWS IoT takes chains of this length; a longer one is a mistake.
const MAX_LENGTH: usize = 10;
/// As many names as a reader compares.
const MAX_NAMES: usize = 4;

/// A step of the path whose signature cannot be verified here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnverifiedStep {
    /// The certificate's subject.
    pub(super) subject: String,
    /// The issuer's subject.
    pub(super) issuer: String,
    /// The signature algorithm and the kind of key.
    pub(super) signature: String,
}

/// The steps of a path from `leaf` over `issuers` that rest on names and key identifiers alone.
pub(super) fn unverified<'a>(
    leaf: &X509Certificate,
    issuers: impl Iterator<Item = &'a X509Certificate<'a>>,
) -> Vec<UnverifiedStep> {
    let mut found = Vec::new();
    let mut last = leaf;
    for issuer in issuers {
        if verify(last, issuer) == Proof::Unknown {
            found.push(UnverifiedStep {
                subject: describe(last.subject()),
                issuer: describe(issuer.subject()),
                signature: describe_signature(last, issuer),
            });
        }
        last = issuer;
    }
    found
}

/// The places in `pool` of the issuer of `leaf`, of the issuer's issuer, and so on, as far as they are there.
///
/// # Errors
/// When there are CA certificates and none of them has signed `leaf`.
pub(super) fn build(leaf: &X509Certificate, pool: &[X509Certificate], now: i64) -> Result<Vec<usize>, String> {
    let mut path: Vec<usize> = Vec::new();
    let mut last = leaf;
    while path.len() < MAX_LENGTH && !is_root(last) {
        let next = pool
            .iter()
            .enumerate()
            .filter(|(place, issuer)| !path.contains(place) && issued(last, issuer));
        // A renewed CA has the same name and key: the one that is valid, and valid longest, is the one to send.
        let Some((place, issuer)) = next.max_by_key(|(_, issuer)| (is_valid(issuer, now), end(issuer))) else {
            break;
        };
        path.push(place);
        last = issuer;
    }
    match path.is_empty() && !pool.is_empty() {
        true => Err(why_not(leaf, pool)),
        false => Ok(path),
    }
}

/// Whether a certificate is valid at that time, in seconds since 1970.
pub(super) fn is_valid(certificate: &X509Certificate, now: i64) -> bool {
    let validity = certificate.validity();
    validity.not_before.timestamp() <= now && now <= end(certificate)
}

fn end(certificate: &X509Certificate) -> i64 {
    certificate.validity().not_after.timestamp()
}

fn is_root(certificate: &X509Certificate) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
        && verify(certificate, certificate) != Proof::NotSigned
}

/// Whether `issuer` has issued `certificate`, by the signature or by what is left where that cannot be verified.
pub(super) fn issued(certificate: &X509Certificate, issuer: &X509Certificate) -> bool {
    match verify(certificate, issuer) {
        Proof::Signed => true,
        Proof::NotSigned => false,
        // The best that is left.
        Proof::Unknown => {
            certificate.issuer().as_raw() == issuer.subject().as_raw() && key_identifiers_agree(certificate, issuer)
        }
    }
}

/// Whether the authority's key identifier, where both are given, is the issuer's.
fn key_identifiers_agree(certificate: &X509Certificate, issuer: &X509Certificate) -> bool {
    use x509_parser::extensions::ParsedExtension::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
    let authority = certificate
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            AuthorityKeyIdentifier(identifier) => identifier.key_identifier.as_ref().map(|key| key.0),
            _ => None,
        });
    let own = issuer
        .iter_extensions()
        .find_map(|extension| match extension.parsed_extension() {
            SubjectKeyIdentifier(key) => Some(key.0),
            _ => None,
        });
    match (authority, own) {
        (Some(authority), Some(own)) => authority == own,
        _ => true,
    }
}

fn why_not(leaf: &X509Certificate, pool: &[X509Certificate]) -> String {
    let issuer = describe(leaf.issuer());
    if is_root(leaf) && verify(leaf, leaf) == Proof::Signed {
        return "is signed by its own key, and by none of the CA certificates beside it".to_owned();
    }
    if pool.iter().any(|ca| ca.subject().as_raw() == leaf.issuer().as_raw()) {
        return format!(
            "was not signed by the CA certificate {issuer} beside it, which has the issuer's name and another key"
        );
    }
    let mut names: Vec<String> = pool.iter().map(|ca| describe(ca.subject())).collect();
    names.dedup();
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "was issued by {issuer}, which is none of the CA certificates beside it ({}{more})",
        names.join("; ")
    )
}
