//! Decodes distinguished names in all string types of X.509.

use x509_parser::der_parser::asn1_rs::{Any, Tag};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::x509::X509Name;

use crate::foreign_text::clean;

/// Returns the common names of a subject in order; `None` for one that is not a string.
pub(super) fn common_names(name: &X509Name) -> Vec<Option<String>> {
    name.iter_common_name()
        .map(|attribute| decode_string(attribute.attr_value()))
        .collect()
}

/// Describes a name in one line, such as `C=IN, O=Example, CN=gw-1`.
pub(super) fn describe(name: &X509Name) -> String {
    let attributes = name.iter_attributes().map(|attribute| {
        let kind = attribute.attr_type();
        let kind = oid2abbrev(kind, oid_registry()).map_or_else(|_| kind.to_id_string(), str::to_owned);
        let value = decode_string(attribute.attr_value()).unwrap_or_else(|| "(no text)".to_owned());
        format!("{kind}={value}")
    });
    let attributes: Vec<String> = attributes.collect();
    match attributes.is_empty() {
        true => "(no name)".to_owned(),
        false => clean(attributes.join(", ")),
    }
}

/// Decodes a string of any type. TeletexString is decoded as Latin-1, which is what its writers use in practice.
pub(super) fn decode_string(value: &Any) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::VisibleString
        | Tag::NumericString
        | Tag::GeneralString => String::from_utf8(bytes.to_vec()).ok(),
        Tag::T61String => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let (units, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            String::from_utf16(&units).ok().filter(|_| rest.is_empty())
        }
        Tag::UniversalString => {
            let (units, rest) = bytes.as_chunks::<4>();
            let text: Option<String> = units
                .iter()
                .map(|unit| char::from_u32(u32::from_be_bytes(*unit)))
                .collect();
            text.filter(|_| rest.is_empty())
        }
        _ => None,
    }
}
