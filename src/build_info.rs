//! Version and commit of this build. The build script determines the commit.

/// The version: `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version with the commit, as `gatepostd --version` prints it: `0.1.0 (1b144ab12345)`.
pub const VERSION_AND_COMMIT: &str = match option_env!("GATEPOST_VERSION") {
    Some(text) => text,
    None => VERSION,
};

/// Returns the commit, with `-dirty` if the sources had changes; `None` if the sources had no repository.
#[must_use]
pub fn commit() -> Option<&'static str> {
    option_env!("GATEPOST_COMMIT").filter(|commit| !commit.is_empty())
}
