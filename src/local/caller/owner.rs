//! Converts a rule's selectors to the owner that is stored with a durable subscription.

use crate::config::Selectors;
use crate::messages::TokenOwner;

/// Returns the stable form of the selectors of a token's rule.
pub fn token_owner(selectors: &Selectors) -> TokenOwner {
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let all = [
        ("user", selectors.user.clone()),
        ("group", selectors.group.clone()),
        ("uid", number(selectors.uid)),
        ("gid", number(selectors.gid)),
        ("unit", selectors.unit.clone()),
    ];
    let present = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
    TokenOwner(present.collect())
}
