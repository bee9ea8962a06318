//! Reason codes of MQTT 5 (OASIS MQTT 5.0, 2.4), as far as AWS IoT sends them (AWS IoT Core Developer Guide, page "MQTT").

pub(crate) const SUCCESS: u8 = 0x00;
/// The only failure code of SUBACK in MQTT 3.1.1, and the lowest failure code in MQTT 5: this and all higher codes are failures.
pub(crate) const UNSPECIFIED_ERROR: u8 = 0x80;
pub(crate) const MALFORMED_PACKET: u8 = 0x81;
pub(crate) const PROTOCOL_ERROR: u8 = 0x82;
pub(crate) const CLIENT_IDENTIFIER_NOT_VALID: u8 = 0x85;
pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
pub(crate) const SERVER_UNAVAILABLE: u8 = 0x88;
pub(crate) const KEEP_ALIVE_TIMEOUT: u8 = 0x8D;
pub(crate) const SESSION_TAKEN_OVER: u8 = 0x8E;
pub(crate) const TOPIC_FILTER_INVALID: u8 = 0x8F;
pub(crate) const TOPIC_NAME_INVALID: u8 = 0x90;
pub(crate) const RECEIVE_MAXIMUM_EXCEEDED: u8 = 0x93;
pub(crate) const TOPIC_ALIAS_INVALID: u8 = 0x94;
pub(crate) const QUOTA_EXCEEDED: u8 = 0x97;
pub(crate) const ADMINISTRATIVE_ACTION: u8 = 0x98;
pub(crate) const QOS_NOT_SUPPORTED: u8 = 0x9B;
pub(crate) const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: u8 = 0xA1;
