//! Passes the commit to the build.

include!("../packaging/version/git.rs");

fn main() {
    announce_version(Path::new(".."));
}
