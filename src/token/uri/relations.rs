//! How two URIs relate: the second key of the device, and whether both can be in one token.

use super::{KeyUri, SCHEME, TEXT_ATTRIBUTES};
use crate::token::names::trim_padding;

impl KeyUri {
    /// Returns the URI of the second key, whose label is this one's with `-2` behind it; `None` if this URI names no label. The id is
    /// left out, because it differs.
    pub fn second_key(&self) -> Option<Self> {
        let path = self.text.strip_prefix(SCHEME)?;
        let parts: Option<Vec<String>> = path
            .split(';')
            .filter(|part| !part.starts_with("id="))
            .map(|part| match part.strip_prefix("object=") {
                Some("") => None,
                Some(_) => Some(format!("{part}-2")),
                None => Some(part.to_owned()),
            })
            .collect();
        let second = format!("{SCHEME}{}", parts?.join(";"));
        self.object().and_then(|_| second.parse().ok())
    }

    /// Returns the first attribute by which this URI cannot match the token that `other` matches.
    pub fn find_other_token(&self, other: &Self) -> Option<&'static str> {
        let differs = |name: &&&str| match (self.text(name), other.text(name)) {
            (Some(one), Some(other)) => trim_padding(one) != trim_padding(other),
            _ => false,
        };
        let mut of_token = TEXT_ATTRIBUTES.iter().filter(|name| **name != "object");
        let of_slot = || match (self.slot_id, other.slot_id) {
            (Some(one), Some(other)) => (one != other).then_some("slot-id"),
            _ => None,
        };
        of_token.find(differs).copied().or_else(of_slot)
    }
}
