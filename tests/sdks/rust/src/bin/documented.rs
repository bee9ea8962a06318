//! The program in docs/programs.md, as it is written there.

/// The SDK's `aws_config`, with another HTTP client by default.
mod aws_config {
    pub use ::aws_config::BehaviorVersion;

    pub fn defaults(version: BehaviorVersion) -> ::aws_config::ConfigLoader {
        ::aws_config::defaults(version).http_client(programs::http_client())
    }
}

include!(concat!(env!("OUT_DIR"), "/documented.rs"));
