//! Parses the settings in an AWS file in the same way as botocore and the SDKs.

/// The kind of file: the two name profiles differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Headers are `[profile NAME]`, except for `[default]`.
    Config,
    /// Headers are `[NAME]`.
    Credentials,
}

/// A setting of a profile. It may hold a secret, so `Debug` is not implemented.
pub(super) struct Setting<'a> {
    pub(super) profile: String,
    /// The name in lower case.
    pub(super) name: String,
    pub(super) value: &'a str,
    /// The line number, starting at 1.
    pub(super) line: usize,
}

/// Returns the settings of all profiles, in order.
///
/// A line that begins with a space belongs to the setting above it, if that is less indented and in the same section. Comments take whole
/// lines; a setting cannot be followed by one. Like botocore, accepts a colon in place of an equals sign.
pub(super) fn settings(text: &str, kind: Kind) -> impl Iterator<Item = Setting<'_>> {
    let mut profile: Option<String> = None;
    let mut indented_by: Option<usize> = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A file from an old editor may end its lines with CR alone.
    let lines = text
        .split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r').enumerate());
    let mut number = 0;
    lines.filter_map(move |(part, whole)| {
        if part == 0 {
            number += 1;
        }
        let line = whole.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            return None;
        }
        let indent = whole.len() - whole.trim_start().len();
        if indented_by.is_some_and(|above| indent > above) {
            return None;
        }
        if let Some(header) = line.strip_prefix('[') {
            let name = header.split_once(']').map_or(header, |(name, _)| name);
            profile = profile_of(name.trim(), kind);
            indented_by = None;
            return None;
        }
        indented_by = Some(indent);
        let (name, value) = line.split_once(['=', ':'])?;
        Some(Setting {
            profile: profile.clone()?,
            name: name.trim().to_ascii_lowercase(),
            value: value.trim(),
            line: number,
        })
    })
}

/// Returns the profile that a section's header names, if any.
fn profile_of(header: &str, kind: Kind) -> Option<String> {
    let unquoted = |name: &str| name.trim().trim_matches(['"', '\'']).to_owned();
    match kind {
        Kind::Credentials => Some(unquoted(header)),
        Kind::Config if unquoted(header) == "default" => Some("default".to_owned()),
        Kind::Config => {
            let name = header.strip_prefix("profile")?;
            name.starts_with(char::is_whitespace).then(|| unquoted(name))
        }
    }
}
