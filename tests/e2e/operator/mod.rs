//! Operators' commands that change something, against the real daemon.

mod allow;
mod certificate;
mod log_level;
pub mod retry;
mod support;
