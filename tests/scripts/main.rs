//! All branches of the scripts that a newcomer runs first. The programs that they call are replaced by small scripts, so nothing is
//! installed and nothing is built.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot run a script has failed"
)]

mod machine;
mod make;
mod merge_check;
mod release;
mod run;
mod setup;
