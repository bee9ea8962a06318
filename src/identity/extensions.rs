//! Finds extensions that make a verifier refuse a certificate (RFC 5280, 4.2).

use x509_parser::certificate::X509Certificate;

/// The extensions that every verifier must know by RFC 5280. A certificate with another critical extension is refused.
const KNOWN: [&str; 12] = [
    "2.5.29.14", // subject key identifier
    "2.5.29.15", // key usage
    "2.5.29.17", // subject alternative name
    "2.5.29.19", // basic constraints
    "2.5.29.30", // name constraints
    "2.5.29.31", // CRL distribution points
    "2.5.29.32", // certificate policies
    "2.5.29.33", // policy mappings
    "2.5.29.35", // authority key identifier
    "2.5.29.36", // policy constraints
    "2.5.29.37", // extended key usage
    "2.5.29.54", // inhibit anyPolicy
];

/// Finds the faults, each as a phrase that begins with "has".
pub(super) fn find_faults(certificate: &X509Certificate) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for extension in certificate.extensions() {
        let oid = extension.oid.to_id_string();
        if extension.critical && !KNOWN.contains(&oid.as_str()) {
            found.push(format!(
                "has a critical extension ({oid}) that AWS IoT may not know and may refuse it for"
            ));
        }
        if seen.iter().filter(|other| **other == oid).count() == 1 {
            found.push(format!(
                "has the extension {oid} more than once, for which AWS IoT may refuse it"
            ));
        }
        seen.push(oid);
    }
    found
}
