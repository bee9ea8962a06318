//! The part of a completion script that finds the role aliases.

/// Prints the names of the role aliases. The daemon answers at once, or not at all.
pub(super) const ROLE_ALIASES: &str =
    r#"gatepost status --json 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d '"' -f 4"#;
