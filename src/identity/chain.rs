//! Builds the path from the device certificate to its CA, by the signatures of the available certificates.
//!
//! Names prove nothing: two CAs of a fleet may have the same name, and an image for thousands of gateways may have both the old
//! and the new CA.

use x509_parser::certificate::X509Certificate;

use super::name::describe;
use super::signature::{SignatureStatus, describe_signature, verify};

/// Maximum number of CA certificates that are sent with the device certificate.
const MAX_LENGTH: usize = 10;
/// The highest number of names in a message.
const MAX_NAMES: usize = 4;

/// A step of the path whose signature cannot be verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnverifiedStep {
    /// The certificate's subject.
    pub(super) subject: String,
    /// The issuer's subject.
    pub(super) issuer: String,
    /// A description of the signature algorithm and the kind of key.
    pub(super) signature: String,
}

/// Finds the steps of a path from `leaf` through `issuers` that are based on names and key identifiers alone.
pub(super) fn find_unverified<'a>(
    leaf: &X509Certificate,
    issuers: impl Iterator<Item = &'a X509Certificate<'a>>,
) -> Vec<UnverifiedStep> {
    let mut found = Vec::new();
    let mut last = leaf;
    for issuer in issuers {
        if verify(last, issuer) == SignatureStatus::Unknown {
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

/// Returns the indices in `pool` of the issuer of `leaf`, of that issuer's issuer, and so on, as far as they exist,
/// a root included.
///
/// # Errors
/// If there are CA certificates and none of them has signed `leaf`.
pub(super) fn build_path(leaf: &X509Certificate, pool: &[X509Certificate], now: i64) -> Result<Vec<usize>, String> {
    let mut path: Vec<usize> = Vec::new();
    let mut last = leaf;
    while path.len() < MAX_LENGTH && !is_root(last) {
        let next = pool
            .iter()
            .enumerate()
            .filter(|(index, issuer)| !path.contains(index) && has_issued(last, issuer));
        // A renewed CA has the same name and key. Of several certificates, the valid one with the latest end is sent.
        let Some((index, issuer)) = next.max_by_key(|(_, issuer)| (is_valid(issuer, now), end(issuer))) else {
            break;
        };
        path.push(index);
        last = issuer;
    }
    if path.is_empty() && !pool.is_empty() {
        return Err(describe_missing_issuer(leaf, pool));
    }
    Ok(path)
}

/// Returns whether a certificate is valid at `now`, in Unix seconds.
pub(super) fn is_valid(certificate: &X509Certificate, now: i64) -> bool {
    let validity = certificate.validity();
    validity.not_before.timestamp() <= now && now <= end(certificate)
}

fn end(certificate: &X509Certificate) -> i64 {
    certificate.validity().not_after.timestamp()
}

/// Returns whether a certificate is its own issuer. A signature whose algorithm is not supported counts, because no other issuer of the same
/// name can be found by it either.
fn is_root(certificate: &X509Certificate) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
        && verify(certificate, certificate) != SignatureStatus::NotSigned
}

/// Returns whether `issuer` has issued `certificate`, by the signature, or by names and key identifiers if the signature's
/// algorithm is not supported.
pub(super) fn has_issued(certificate: &X509Certificate, issuer: &X509Certificate) -> bool {
    match verify(certificate, issuer) {
        SignatureStatus::Signed => true,
        SignatureStatus::NotSigned => false,
        SignatureStatus::Unknown => {
            certificate.issuer().as_raw() == issuer.subject().as_raw() && key_identifiers_agree(certificate, issuer)
        }
    }
}

/// Returns whether the authority key identifier is the issuer's subject key identifier, if both exist.
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

/// Describes why no CA certificate is the issuer: a predicate for a sentence about the device certificate.
fn describe_missing_issuer(leaf: &X509Certificate, pool: &[X509Certificate]) -> String {
    let issuer = describe(leaf.issuer());
    if is_root(leaf) && verify(leaf, leaf) == SignatureStatus::Signed {
        return "is signed by its own key, and by none of the CA certificates beside it".to_owned();
    }
    if pool.iter().any(|ca| ca.subject().as_raw() == leaf.issuer().as_raw()) {
        return format!(
            "was not signed by the CA certificate {issuer} beside it, which has the issuer's name and another key"
        );
    }
    let mut names: Vec<String> = pool.iter().map(|ca| describe(ca.subject())).collect();
    names.sort();
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
