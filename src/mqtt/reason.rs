//! Reason codes of MQTT 5, and the server's reason strings.

use crate::qos::Qos;

/// The server's answer to one filter of a SUBSCRIBE: the QoS that it grants, or the reason of the refusal.
pub type Granted = Result<Qos, ReasonCode>;

/// A reason code (MQTT 5.0, 2.4). Any byte may occur; those from 0x80 on are failures, named or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode(pub u8);

macro_rules! codes {
    ($($constant:ident = $value:literal, $name:literal;)+) => {
        impl ReasonCode {
            $(#[doc = concat!("`", stringify!($value), "`: ", $name, ".")] pub const $constant: Self = Self($value);)+

            /// Returns the name in the specification; `None` for a byte that is not listed there.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    SUCCESS = 0x00, "success";
    GRANTED_QOS_1 = 0x01, "granted quality of service 1";
    GRANTED_QOS_2 = 0x02, "granted quality of service 2";
    DISCONNECT_WITH_WILL = 0x04, "disconnect with will message";
    NO_MATCHING_SUBSCRIBERS = 0x10, "no matching subscribers";
    NO_SUBSCRIPTION_EXISTED = 0x11, "no subscription existed";
    CONTINUE_AUTHENTICATION = 0x18, "continue authentication";
    REAUTHENTICATE = 0x19, "re-authenticate";
    UNSPECIFIED_ERROR = 0x80, "unspecified error";
    MALFORMED_PACKET = 0x81, "malformed packet";
    PROTOCOL_ERROR = 0x82, "protocol error";
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83, "implementation specific error";
    UNSUPPORTED_PROTOCOL_VERSION = 0x84, "unsupported protocol version";
    CLIENT_ID_NOT_VALID = 0x85, "client ID not valid";
    BAD_USER_NAME_OR_PASSWORD = 0x86, "bad user name or password";
    NOT_AUTHORIZED = 0x87, "not authorized";
    SERVER_UNAVAILABLE = 0x88, "server unavailable";
    SERVER_BUSY = 0x89, "server busy";
    BANNED = 0x8a, "banned";
    SERVER_SHUTTING_DOWN = 0x8b, "server shutting down";
    BAD_AUTHENTICATION_METHOD = 0x8c, "bad authentication method";
    KEEP_ALIVE_TIMEOUT = 0x8d, "keep-alive timeout";
    SESSION_TAKEN_OVER = 0x8e, "session taken over";
    TOPIC_FILTER_INVALID = 0x8f, "topic filter invalid";
    TOPIC_NAME_INVALID = 0x90, "topic name invalid";
    PACKET_ID_IN_USE = 0x91, "packet identifier in use";
    PACKET_ID_NOT_FOUND = 0x92, "packet identifier not found";
    RECEIVE_MAXIMUM_EXCEEDED = 0x93, "receive maximum exceeded";
    TOPIC_ALIAS_INVALID = 0x94, "topic alias invalid";
    PACKET_TOO_LARGE = 0x95, "packet too large";
    MESSAGE_RATE_TOO_HIGH = 0x96, "message rate too high";
    QUOTA_EXCEEDED = 0x97, "quota exceeded";
    ADMINISTRATIVE_ACTION = 0x98, "administrative action";
    PAYLOAD_FORMAT_INVALID = 0x99, "payload format invalid";
    RETAIN_NOT_SUPPORTED = 0x9a, "retain not supported";
    QOS_NOT_SUPPORTED = 0x9b, "quality of service not supported";
    USE_ANOTHER_SERVER = 0x9c, "use another server";
    SERVER_MOVED = 0x9d, "server moved";
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9e, "shared subscriptions not supported";
    CONNECTION_RATE_EXCEEDED = 0x9f, "connection rate exceeded";
    MAXIMUM_CONNECT_TIME = 0xa0, "maximum connect time";
    SUBSCRIPTION_IDS_NOT_SUPPORTED = 0xa1, "subscription identifiers not supported";
    WILDCARDS_NOT_SUPPORTED = 0xa2, "wildcard subscriptions not supported";
}

impl ReasonCode {
    /// Returns whether it reports a failure.
    pub const fn is_failure(self) -> bool {
        self.0 >= 0x80
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name().unwrap_or("reason code that MQTT 5 does not list");
        write!(f, "{name} (0x{:02x})", self.0)
    }
}

/// A reason code with the server's reason string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// The reason string, if the server sent one, made safe for a log line.
    pub words: Option<String>,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.code)?;
        match &self.words {
            Some(words) => write!(f, ": {words}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_specification_has_a_name() {
        // MQTT 5.0, table 2-6.
        let listed: Vec<u8> = [0x00, 0x01, 0x02, 0x04, 0x10, 0x11, 0x18, 0x19]
            .into_iter()
            .chain(0x80..=0xa2)
            .collect();
        for byte in 0..=u8::MAX {
            let code = ReasonCode(byte);
            assert_eq!(code.name().is_some(), listed.contains(&byte), "{byte:#x}");
            assert_eq!(code.is_failure(), byte >= 0x80);
        }
    }

    #[test]
    fn a_reason_reads_as_name_code_and_words() {
        let reason = |code, words: Option<&str>| {
            let words = words.map(str::to_owned);
            Reason {
                code: ReasonCode(code),
                words,
            }
            .to_string()
        };
        assert_eq!(reason(0x87, None), "not authorized (0x87)");
        assert_eq!(reason(0x95, Some("too big")), "packet too large (0x95): too big");
        assert_eq!(reason(0xf0, None), "reason code that MQTT 5 does not list (0xf0)");
    }
}
