//! The subject's common name: it becomes the thing name, so AWS's rule for thing names is checked before a CSR is written.

use std::fs;

use crate::foreign_text;

/// CreateThing: 1 to 128 of `[a-zA-Z0-9:_-]`. Any other character lets just-in-time provisioning fail silently.
///
/// # Errors
/// With the reason, when `name` is none.
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

/// Fills `{machine-id}` and `{hostname}` in, and checks the outcome.
pub(super) fn thing_name(pattern: &str) -> Result<String, String> {
    let mut name = pattern.to_owned();
    for (word, file) in [
        ("{machine-id}", "/etc/machine-id"),
        ("{hostname}", "/proc/sys/kernel/hostname"),
    ] {
        if name.contains(word) {
            let text = fs::read_to_string(file)
                .map_err(|error| format!("{word} needs {file}: {}", foreign_text::clean(error)))?;
            match text.trim() {
                "" | "uninitialized" => return Err(format!("{word} needs {file}, which is empty so far")),
                value => name = name.replace(word, value),
            }
        }
    }
    check_thing_name(&name).map(|()| name)
}
