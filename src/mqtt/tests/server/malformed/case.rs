//! A packet that a server must refuse, in both versions.

/// The same protocol error in both versions; the packet is empty for a version in which it is none.
pub(super) struct Case {
    pub(super) what: &'static str,
    pub(super) v5: Vec<u8>,
    /// The reason code of our DISCONNECT, and the statement.
    pub(super) code: u8,
    pub(super) statement: &'static str,
    pub(super) v3: Vec<u8>,
    pub(super) v3_statement: &'static str,
}

pub(super) fn case(
    what: &'static str,
    (v5, code, statement): (&[u8], u8, &'static str),
    (v3, v3_statement): (&[u8], &'static str),
) -> Case {
    Case {
        what,
        v5: v5.to_vec(),
        code,
        statement,
        v3: v3.to_vec(),
        v3_statement,
    }
}

/// Returns a protocol error with the same bytes in both versions.
pub(super) fn both(
    what: &'static str,
    bytes: &[u8],
    code: u8,
    statement: &'static str,
    v3_statement: &'static str,
) -> Case {
    case(what, (bytes, code, statement), (bytes, v3_statement))
}

/// Returns a protocol error of MQTT 5 only.
pub(super) fn only_5(what: &'static str, bytes: &[u8], code: u8, statement: &'static str) -> Case {
    case(what, (bytes, code, statement), (&[], ""))
}
