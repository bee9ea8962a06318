//! Protocol versions, and conversions between their codes.

use super::ReasonCode;

/// The protocol version of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtocolVersion {
    /// MQTT 3.1.1: no properties, and reason codes only in CONNACK and SUBACK.
    V3_1_1,
    /// MQTT 5.0.
    #[default]
    V5,
}

impl ProtocolVersion {
    /// Returns the statement to cite, whose number differs between the two specifications.
    pub(super) const fn cite(self, v5: &'static str, v3: &'static str) -> &'static str {
        match self {
            Self::V5 => v5,
            Self::V3_1_1 => v3,
        }
    }
}

/// The return codes of a refusing CONNACK (MQTT 3.1.1, table 3.1), each with the equivalent reason code.
const RETURN_CODES: [(u8, ReasonCode); 5] = [
    (1, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION),
    (2, ReasonCode::CLIENT_ID_NOT_VALID),
    (3, ReasonCode::SERVER_UNAVAILABLE),
    (4, ReasonCode::BAD_USER_NAME_OR_PASSWORD),
    (5, ReasonCode::NOT_AUTHORIZED),
];

/// Returns the return code of MQTT 3.1.1 for a reason code; `None` if none is equivalent, in which case the server closes without CONNACK
/// (MQTT-3.2.2-6).
pub(super) fn return_code(code: ReasonCode) -> Option<u8> {
    let known = || RETURN_CODES.iter().find(|(_, reason)| *reason == code);
    match code {
        ReasonCode::SUCCESS => Some(0),
        ReasonCode::BANNED => Some(5),
        ReasonCode::SERVER_BUSY
        | ReasonCode::SERVER_SHUTTING_DOWN
        | ReasonCode::QUOTA_EXCEEDED
        | ReasonCode::CONNECTION_RATE_EXCEEDED => Some(3),
        _ => known().map(|(number, _)| *number),
    }
}

/// Returns the reason code for a return code of MQTT 3.1.1; `None` for a reserved one.
pub(super) fn reason_code(return_code: u8) -> Option<ReasonCode> {
    if return_code == 0 {
        return Some(ReasonCode::SUCCESS);
    }
    let known = RETURN_CODES.iter().find(|(number, _)| *number == return_code);
    known.map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_codes_are_read_as_they_are_written() {
        for number in 0..=5 {
            assert_eq!(reason_code(number).and_then(return_code), Some(number));
        }
        for reserved in 6..=u8::MAX {
            assert_eq!(reason_code(reserved), None, "{reserved}");
        }
        for (code, number) in [
            (ReasonCode::BANNED, Some(5)),
            (ReasonCode::SERVER_BUSY, Some(3)),
            (ReasonCode::SERVER_SHUTTING_DOWN, Some(3)),
            (ReasonCode::QUOTA_EXCEEDED, Some(3)),
            (ReasonCode::CONNECTION_RATE_EXCEEDED, Some(3)),
            (ReasonCode::MALFORMED_PACKET, None),
            (ReasonCode::QOS_NOT_SUPPORTED, None),
        ] {
            assert_eq!(return_code(code), number, "{code}");
        }
    }
}
