//! The socket: permissions, input that is not HTTP, and hostile callers.

mod access;
mod crowd;
mod framing;
mod http;
mod slow_callers;
mod stuck;
mod units;

pub(crate) use http::read_one;
