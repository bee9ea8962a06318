//! Gives the build its date (SOURCE_DATE_EPOCH where a packager sets it, for reproducible builds, else now) and its commit.

use std::time::{SystemTime, UNIX_EPOCH};

include!("packaging/version/git.rs");

fn main() {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let epoch = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(now);
    println!("cargo::rustc-env=GATEPOST_BUILD_EPOCH={epoch}");
    announce_version(Path::new("."));
}
