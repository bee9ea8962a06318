//! A strict codec for MQTT 3.1.1 and 5 (OASIS MQTT 3.1.1 and 5.0).
//!
//! It is independent of the client's code, so that a bug in one is not hidden by the same bug in the other.

mod acknowledgement;
mod connack;
mod connect;
mod disconnect;
mod frame;
mod packet;
mod properties;
mod publish;
pub(crate) mod reason;
mod subscribe;
#[cfg(test)]
mod tests;
pub(crate) mod topic;
mod types;
mod wire;

pub(crate) use acknowledgement::Acknowledgement;
pub(crate) use connack::Connack;
pub(crate) use connect::Connect;
#[cfg(test)]
use connect::Will;
pub(crate) use disconnect::Disconnect;
pub(crate) use frame::{Frame, FrameError, FrameReader};
pub(crate) use packet::Packet;
pub(crate) use properties::{Properties, Value, property};
pub(crate) use publish::Publish;
pub(crate) use subscribe::{Filter, Suback, Subscribe, Unsubscribe};
pub(crate) use types::{Malformed, Protocol, QoS};
