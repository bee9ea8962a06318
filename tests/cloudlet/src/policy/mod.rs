//! AWS IoT policies: strict parsing of documents, and evaluation of requests.

mod condition;
mod context;
mod document;
#[cfg(test)]
mod documented;
mod evaluate;
mod named;
mod one_or_many;
mod pattern;
mod seeds;

pub(crate) use context::{ConnectAttributes, Context};
pub use evaluate::Decision;
pub(crate) use evaluate::{Request, evaluate};
pub use named::Policy;
