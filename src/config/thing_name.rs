//! The rule for thing names.

use crate::foreign_text;

/// Checks a thing name. CreateThing accepts 1 to 128 of `[a-zA-Z0-9:_-]`; with any other character just-in-time provisioning fails
/// silently.
///
/// # Errors
/// With the reason if `name` is not a thing name.
pub fn check_thing_name(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
    match (1..=128).contains(&name.len()) && name.bytes().all(legal) {
        true => Ok(()),
        false => Err(format!(
            "{} cannot be a thing name: AWS allows 1 to 128 letters, digits and : _ -",
            foreign_text::value(name)
        )),
    }
}
