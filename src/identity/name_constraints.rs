//! Compares the names in a path with the name constraints of the CAs (RFC 5280, 4.2.1.10).

use std::path::Path;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, GeneralSubtree};
use x509_parser::x509::X509Name;

use super::name::{decode_string, describe};
use crate::foreign_text::clean;
use crate::problem::Problem;

/// Finds names of the device, or of a CA in its path, that a CA further up does not permit. `issuers` begins with the device's
/// issuer.
pub(super) fn find_violations(path: &Path, device: &X509Certificate, issuers: &[&X509Certificate]) -> Vec<Problem> {
    let mut found = Vec::new();
    for (place, ca) in issuers.iter().enumerate() {
        let ca_name = describe(ca.subject());
        let constraints = match ca.name_constraints() {
            Ok(Some(constraints)) => constraints.value,
            Ok(None) => continue,
            Err(_) => {
                let message = format!("the CA certificate {ca_name} has nameConstraints twice, or damaged");
                found.push(Problem::configuration(message).next("reissue the CA certificate"));
                continue;
            }
        };
        let permitted = constraints.permitted_subtrees.as_deref().unwrap_or_default();
        let excluded = constraints.excluded_subtrees.as_deref().unwrap_or_default();
        // The constraints do not apply to a CA certificate that the CA has issued to itself.
        let below = issuers.iter().take(place).filter(|below| !is_self_issued(below));
        for below in std::iter::once(&device).chain(below) {
            let names = list_names(below);
            let refused = names.iter().filter(|name| !is_permitted(name, permitted, excluded));
            found.extend(refused.map(|name| {
                Problem::configuration(format!(
                    "{}: the CA {ca_name} does not permit the name {} (nameConstraints), so that AWS IoT may refuse the certificate",
                    path.display(),
                    show(name)
                ))
                .next(
                    "have the request signed by a CA whose nameConstraints permit that name, or set another identity.subject and have \
                     the new request signed",
                )
            }));
        }
    }
    found
}

fn is_self_issued(certificate: &X509Certificate) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Lists the subject and the alternative names.
fn list_names<'a>(certificate: &'a X509Certificate) -> Vec<GeneralName<'a>> {
    let subject = certificate.subject();
    let has_subject = subject.iter().next().is_some();
    let mut names: Vec<GeneralName> = has_subject
        .then(|| GeneralName::DirectoryName(subject.clone()))
        .into_iter()
        .collect();
    if let Ok(Some(alternatives)) = certificate.subject_alternative_name() {
        names.extend(alternatives.value.general_names.iter().cloned());
    }
    names
}

/// Returns whether the name is in no excluded subtree, and in a permitted one if there are permitted subtrees of its kind.
fn is_permitted(name: &GeneralName, permitted: &[GeneralSubtree], excluded: &[GeneralSubtree]) -> bool {
    let within = |subtrees: &[GeneralSubtree]| -> Vec<bool> {
        let same_kind = subtrees.iter().filter_map(|subtree| is_within(name, &subtree.base));
        same_kind.collect()
    };
    let permitting = within(permitted);
    !within(excluded).contains(&true) && (permitting.is_empty() || permitting.contains(&true))
}

/// Returns whether the name is in the subtree of `base`; `None` if they are of different kinds.
fn is_within(name: &GeneralName, base: &GeneralName) -> Option<bool> {
    match (name, base) {
        (GeneralName::DirectoryName(name), GeneralName::DirectoryName(base)) => Some(is_name_within(name, base)),
        (GeneralName::DNSName(name), GeneralName::DNSName(base)) => Some(is_domain_within(name, base)),
        (GeneralName::RFC822Name(name), GeneralName::RFC822Name(base)) => Some(is_mailbox_within(name, base)),
        (GeneralName::URI(name), GeneralName::URI(base)) => Some(is_host_within(host_of(name), base)),
        (GeneralName::IPAddress(name), GeneralName::IPAddress(base)) => Some(is_address_within(name, base)),
        _ => None,
    }
}

/// Returns whether the relative names of `base` are a prefix of those of `name`.
fn is_name_within(name: &X509Name, base: &X509Name) -> bool {
    let (names, bases) = (normalize(name), normalize(base));
    names.starts_with(&bases)
}

/// Returns the types and values of each relative name, normalized in case, white space and string type.
fn normalize(name: &X509Name) -> Vec<Vec<(String, String)>> {
    let relative_names = name.iter().map(|relative_name| {
        let mut attributes: Vec<(String, String)> = relative_name
            .iter()
            .map(|attribute| {
                let value = decode_string(attribute.attr_value()).unwrap_or_default().to_lowercase();
                let words: Vec<&str> = value.split_whitespace().collect();
                (attribute.attr_type().to_id_string(), words.join(" "))
            })
            .collect();
        attributes.sort();
        attributes
    });
    relative_names.collect()
}

/// Returns whether a domain is in the subtree of `base`. `gw.example.com` and `example.com` are in `example.com`, and every domain is in
/// the empty base.
fn is_domain_within(name: &str, base: &str) -> bool {
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    let base = base.strip_prefix('.').unwrap_or(&base);
    let before = name.strip_suffix(base);
    base.is_empty() || before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Returns whether `host` matches `base`, which is a single host, or a domain with all hosts below it if it begins with a dot.
fn is_host_within(host: &str, base: &str) -> bool {
    match base.starts_with('.') {
        true => host.len() >= base.len() && is_domain_within(host, base),
        false => host.eq_ignore_ascii_case(base),
    }
}

fn is_mailbox_within(name: &str, base: &str) -> bool {
    let host = name.rsplit_once('@').map_or(name, |(_, host)| host);
    match base.contains('@') {
        true => name.eq_ignore_ascii_case(base),
        false => is_host_within(host, base),
    }
}

fn host_of(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.split(':').next().unwrap_or_default()
}

/// Returns whether an address is in `base`, which is an address and its mask.
fn is_address_within(address: &[u8], base: &[u8]) -> bool {
    let Some((network, mask)) = base.split_at_checked(address.len()) else {
        return false;
    };
    let masked = address.iter().zip(mask).map(|(byte, mask)| byte & mask);
    mask.len() == network.len() && masked.eq(network.iter().zip(mask).map(|(byte, mask)| byte & mask))
}

fn show(name: &GeneralName) -> String {
    match name {
        GeneralName::DirectoryName(name) => describe(name),
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => clean(name),
        GeneralName::IPAddress([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
        GeneralName::IPAddress(_) => "of an IPv6 address".to_owned(),
        _ => "of another kind".to_owned(),
    }
}
