//! Gives the build its commit.

include!("../packaging/version/git.rs");

fn main() {
    announce_version(Path::new(".."));
}
