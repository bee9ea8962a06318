//! Limits on the cost of one connection.

/// Maximum size of a packet, which is announced as Maximum Packet Size. AWS IoT announces the same (128 KiB of payload, and room for topic
/// and properties).
pub const MAX_PACKET: u32 = 149_504;
/// Maximum number of messages that a server may send before the client acknowledges one of them, announced as Receive Maximum. AWS IoT
/// never sends more (quotas, "Maximum inbound unacknowledged QoS 1 publish requests").
pub const RECEIVE_MAXIMUM: u16 = 100;
/// Maximum number of user properties of one packet: a packet full of empty ones would take many times its size in memory. The same limit
/// applies to a message's subscription identifiers, the other property that may be repeated.
pub const MAX_USER_PROPERTIES: usize = 1024;
/// Maximum number of topic filters of one SUBSCRIBE or UNSUBSCRIBE, for the same reason. AWS IoT accepts 8 of them, and 50 on a connection.
pub const MAX_FILTERS: usize = 1024;
