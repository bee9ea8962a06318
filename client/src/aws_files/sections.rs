//! The settings in an AWS file, as botocore and the SDKs read it.

/// Which of the two files it is: they name profiles differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[profile NAME]`, but `[default]`.
    Config,
    /// `[NAME]`.
    Credentials,
}

/// A setting of a profile. It may hold a secret, so that there is no `Debug`.
pub(super) struct Setting<'a> {
    pub(super) profile: String,
    /// In lower case.
    pub(super) name: String,
    pub(super) value: &'a str,
    /// From 1.
    pub(super) line: usize,
}

/// The settings of every profile, in their order.
///
/// A line that begins with a space belongs to the setting above it, if there is one in its section that is indented less. Whole
/// lines are comments, never their ends. botocore takes a colon for an equals sign.
pub(super) fn settings(text: &str, kind: Kind) -> impl Iterator<Item = Setting<'_>> {
    let mut profile: Option<String> = None;
    let mut indented_by: Option<usize> = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A file of an old editor's may end its lines by CR alone.
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

/// The profile that a section's header names, if it names one.
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
