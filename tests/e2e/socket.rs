//! The socket: who may have what, what is no HTTP, and callers who mean no good.

mod access;
mod crowd;
mod framing;
mod http;
mod slow_callers;
mod stuck;
mod units;

pub(crate) use http::read_one;
