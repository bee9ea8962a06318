//! The version and the commit that this program was built from. The build script finds the commit.

/// The version: `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version with the commit, as `gatepostd --version` prints it: `0.1.0 (1b144ab12345)`.
pub const VERSION_AND_COMMIT: &str = match option_env!("GATEPOST_VERSION") {
    Some(text) => text,
    None => VERSION,
};

/// The commit, with `-dirty` where the sources had changes; none where the sources did not tell.
#[must_use]
pub fn commit() -> Option<&'static str> {
    option_env!("GATEPOST_COMMIT").filter(|commit| !commit.is_empty())
}
