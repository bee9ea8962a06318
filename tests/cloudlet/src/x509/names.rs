//! Names in a certificate, in the terms of provisioning templates and policy variables.

use std::net::IpAddr;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::x509::X509Name;

/// The parts of a name in order, such as `("CommonName", "gw-1")`. A part may occur more than once.
pub(crate) type Names = Vec<(String, String)>;

/// Attributes of a distinguished name by object identifier (X.520), with their names in policy variables (developer guide,
/// cert-policy-variables).
const ATTRIBUTES: [(&str, &str); 13] = [
    ("2.5.4.46", "DistinguishedNameQualifier"),
    ("2.5.4.6", "Country"),
    ("2.5.4.10", "Organization"),
    ("2.5.4.11", "OrganizationalUnit"),
    ("2.5.4.8", "State"),
    ("2.5.4.3", "CommonName"),
    ("2.5.4.5", "SerialNumber"),
    ("2.5.4.12", "Title"),
    ("2.5.4.4", "Surname"),
    ("2.5.4.42", "GivenName"),
    ("2.5.4.43", "Initials"),
    ("2.5.4.65", "Pseudonym"),
    ("2.5.4.44", "GenerationQualifier"),
];

/// The attributes that provisioning templates know, with their names there (developer guide, jit-provisioning).
pub(super) const TEMPLATE_ATTRIBUTES: [(&str, &str); 7] = [
    ("Country", "Country"),
    ("Organization", "Organization"),
    ("OrganizationalUnit", "OrganizationalUnit"),
    ("DistinguishedNameQualifier", "DistinguishedNameQualifier"),
    ("State", "StateName"),
    ("CommonName", "CommonName"),
    ("SerialNumber", "SerialNumber"),
];

/// Returns the parts of a distinguished name.
pub(super) fn distinguished(name: &X509Name<'_>) -> Names {
    let attributes = name.iter_attributes().filter_map(|attribute| {
        let oid = attribute.attr_type().to_id_string();
        let (_, name) = ATTRIBUTES.iter().find(|(known, _)| *known == oid)?;
        Some(((*name).to_owned(), attribute.as_str().ok()?.to_owned()))
    });
    attributes.collect()
}

/// Returns the alternative names of the subject or, if requested, of the issuer.
pub(super) fn alternative(certificate: &X509Certificate<'_>, of_issuer: bool) -> Names {
    let extensions = certificate.extensions().iter();
    let names = extensions.filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) if !of_issuer => Some(&names.general_names),
        ParsedExtension::IssuerAlternativeName(names) if of_issuer => Some(&names.general_names),
        _ => None,
    });
    let named = |name: &GeneralName<'_>| {
        let (kind, value) = match name {
            GeneralName::RFC822Name(name) => ("RFC822Name", (*name).to_owned()),
            GeneralName::DNSName(name) => ("DNSName", (*name).to_owned()),
            GeneralName::DirectoryName(name) => ("DirectoryName", name.to_string()),
            GeneralName::URI(uri) => ("UniformResourceIdentifier", (*uri).to_owned()),
            GeneralName::IPAddress(bytes) => ("IPAddress", address(bytes)?.to_string()),
            _ => return None,
        };
        Some((format!("AlternativeName.{kind}"), value))
    };
    names.flatten().filter_map(named).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
