//! Sizes and counts that bound what one connection may cost.

/// The largest packet that either side accepts, announced as Maximum Packet Size. AWS IoT announces the same (128 KiB of payload,
/// and room for topic and properties).
pub const MAX_PACKET: u32 = 149_504;
/// The most messages that a server may send before the client acknowledges one of them, announced as Receive Maximum. AWS IoT
/// sends no more in any case (quotas, "Maximum inbound unacknowledged QoS 1 publish requests").
pub const RECEIVE_MAXIMUM: u16 = 100;
/// The most user properties of one packet: a packet full of empty ones would take many times its size in memory. Subscription
/// identifiers of a message, the other property that may be repeated, have the same bound.
pub const MAX_USER_PROPERTIES: usize = 1024;
/// The most topic filters of one SUBSCRIBE or UNSUBSCRIBE, for the same reason. AWS IoT accepts 8 of them, and 50 on a connection.
pub const MAX_FILTERS: usize = 1024;
