//! /topics/{topic}: publishes in the form of the AWS IoT data plane's HTTP API, and subscribes.

mod message_lines;
mod properties;
mod publish;
mod subscribe;
mod target;

pub use publish::publish;
pub use subscribe::subscribe;
