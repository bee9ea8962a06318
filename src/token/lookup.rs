//! Looks for a key that the configuration names in a token that is open.

use cryptoki::context::Pkcs11;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::error::TokenError;
use super::keys::{self, Object, Search};
use super::named_key::NamedKey;
use super::slots;
use crate::problem::Problem;

/// Finds the private key of this name, or the problem of one that is not there.
///
/// # Errors
/// If the name is that of a key in another token, selects several keys, or the token fails.
pub(super) fn look_up(
    context: &Pkcs11,
    session: &Session,
    slot: Slot,
    name: &NamedKey,
) -> Result<Result<Object, Problem>, TokenError> {
    check_place(context, slot, name)?;
    Ok(match keys::find(session, name)? {
        Search::Found(private) => Ok(private),
        Search::Missing { others } => Err(match keys::has_public_key_only(session, &name.uri)? {
            true => keys::only_public(name),
            false => keys::missing(name, &others),
        }),
    })
}

/// Checks that a URI does not name another token than the one that is open.
fn check_place(context: &Pkcs11, slot: Slot, name: &NamedKey) -> Result<(), TokenError> {
    let info = context
        .get_token_info(slot)
        .map_err(|error| TokenError::from_module("looking at the token", &error))?;
    match slots::matches(context, slot, &info, &name.uri) {
        true => Ok(()),
        false => Err(TokenError::configuration(in_another_token(name))),
    }
}

fn in_another_token(name: &NamedKey) -> Problem {
    let NamedKey { setting, uri, .. } = name;
    Problem::configuration(format!(
        "{setting}: {uri} does not match the token that token.key selects, and gatepost opens one token"
    ))
    .next(format!(
        "have the key made in the same token, and name it in {setting} with the token attributes of token.key"
    ))
}
