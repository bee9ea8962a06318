//! MQTT 3.1.1 and 5 on the wire, strictly (OASIS MQTT 3.1.1 and 5.0).
//!
//! Our own, so that a bug in the client's crate cannot hide behind the same bug here.

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

/// The protocol version a connection speaks; the number is CONNECT's protocol level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    V311 = 4,
    V5 = 5,
}

/// Quality of service, in the specification's words.
#[allow(clippy::enum_variant_names, reason = "the specification's names")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum QoS {
    AtMostOnce = 0,
    AtLeastOnce = 1,
    ExactlyOnce = 2,
}

impl QoS {
    pub(crate) fn from_bits(bits: u8) -> Result<Self, Malformed> {
        match bits {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(Malformed("QoS 3")),
        }
    }
}

/// Bytes that are not the packet they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed packet: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);
