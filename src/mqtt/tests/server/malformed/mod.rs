//! All packets that a server must refuse on an accepted connection, with the statement that forbids each.
//!
//! The cases are data: the end-to-end tests send the same ones to a daemon (tests/e2e/mqtt_listener/protocol_errors.rs).

mod case;
mod headers;
mod publishes;
mod requests;

use self::case::{Case, both, case, only_5};
use super::*;

#[test]
fn each_protocol_error_ends_the_connection_in_both_versions() {
    // With a will, which each of them publishes (MQTT-3.1.2-8).
    let connect_5 = connect(5, 0x06, &[], b"\x00\x02gw\x00\x00\x01w\x00\x03off");
    let connect_3 = connect(4, 0x06, &[], b"\x00\x02gw\x00\x01w\x00\x03off");
    let cases = [headers::cases(), publishes::cases(), requests::cases()]
        .into_iter()
        .flatten();
    let mut count = 0;
    for case in cases {
        if !case.v5.is_empty() {
            let mut link = Link::accepted(&connect_5, Acceptance::default());
            let close = link.close(&case.v5);
            assert_eq!(protocol_error(&close), (case.code, case.statement), "{}", case.what);
            assert_eq!(link.sent(), [0xe0, 1, case.code], "{}", case.what);
            assert_eq!(
                close.will.map(|due| due.will.topic).as_deref(),
                Some("w"),
                "{}",
                case.what
            );
            assert_eq!(link.receive(b"\xc0\x00"), None, "nothing is read after {}", case.what);
            count += 1;
        }
        if !case.v3.is_empty() {
            let mut link = Link::accepted(&connect_3, Acceptance::default());
            let close = link.close(&case.v3);
            assert_eq!(
                protocol_error(&close).1,
                case.v3_statement,
                "{} in MQTT 3.1.1",
                case.what
            );
            assert_eq!(
                link.sent(),
                b"",
                "{}: a server of MQTT 3.1.1 has no DISCONNECT",
                case.what
            );
            assert!(close.will.is_some(), "{}", case.what);
            count += 1;
        }
    }
    assert!(count > 120, "{count}");
}
