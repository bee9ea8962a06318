//! Tests of answers to CONNECT.

use proptest::prelude::*;

use super::*;

fn refused(status: u16, schemes: &[&str]) -> Parsed {
    Parsed::Refused(Refusal {
        status,
        schemes: schemes.iter().map(|&scheme| scheme.to_owned()).collect(),
    })
}

#[test]
fn each_answer_of_a_proxy_has_one_meaning() {
    use Malformed::{Field, NotHttp, StatusLine, Tls, TooLarge};
    let malformed = Parsed::Malformed;
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(MAX_ANSWER));
    let endless = "HTTP/1.1 200 OK\r\n".to_owned() + &"x: y\r\n".repeat(200_000);
    for (answer, expected) in [
        ("", Parsed::Incomplete),
        ("HT", Parsed::Incomplete),
        ("HTTP/1.1 200 OK\r\n", Parsed::Incomplete),
        ("HTTP/1.1 200 OK\r\n\r", Parsed::Incomplete),
        ("HTTP/1.1 100 Continue\r\n\r\n", Parsed::Incomplete),
        // squid, tinyproxy, a bare LF, no phrase, other successes, ignored length (RFC 9110, 9.3.6).
        ("HTTP/1.1 200 Connection established\r\n\r\n", Parsed::Open),
        (
            "HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
            Parsed::Open,
        ),
        ("HTTP/1.1 200 OK\n\n", Parsed::Open),
        ("HTTP/1.1 200\r\n\r\n", Parsed::Open),
        ("HTTP/1.1 204 No Content\r\n\r\n", Parsed::Open),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Parsed::Open),
        ("HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n", Parsed::Open),
        ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Parsed::Open),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>",
            Parsed::NotATunnel(200),
        ),
        ("HTTP/1.1 200 OK\r\n\r\n\r\n", Parsed::NotATunnel(200)),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n",
            refused(302, &[]),
        ),
        ("HTTP/1.1 403 Forbidden\r\n\r\n<html>", refused(403, &[])),
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
            refused(407, &["basic"]),
        ),
        (
            "HTTP/1.1 407 X\r\nproxy-authenticate: Negotiate\r\nPROXY-AUTHENTICATE:NTLM\r\nProxy-Authenticate: Digest realm=x\r\n\r\n",
            refused(407, &["negotiate", "ntlm", "digest"]),
        ),
        (
            "HTTP/1.1 407 X\r\nProxy-Authenticate:\r\nProxy-Authenticate: ,\r\n\r\n",
            refused(407, &[]),
        ),
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", refused(503, &[])),
        ("HTTP/1.1 599 \r\n\r\n", refused(599, &[])),
        ("\u{15}\u{3}\u{1}\0\u{2}\u{2}F", malformed(Tls)),
        ("\u{16}\u{3}", malformed(Tls)),
        ("SSH-2.0-OpenSSH_9.2\r\n", malformed(NotHttp)),
        ("HTTP/2 200\r\n\r\n", malformed(NotHttp)),
        ("http/1.1 200 OK\r\n\r\n", malformed(NotHttp)),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", malformed(NotHttp)),
        ("<html>", malformed(NotHttp)),
        ("\u{5}\u{ff}", malformed(NotHttp)),
        ("HTTP/1.1 20 OK\r\n\r\n", malformed(StatusLine)),
        ("HTTP/1.1 2000 OK\r\n\r\n", malformed(StatusLine)),
        ("HTTP/1.1 600 OK\r\n\r\n", malformed(StatusLine)),
        ("HTTP/1.1 +20 OK\r\n\r\n", malformed(StatusLine)),
        ("HTTP/1.1  200 OK\r\n\r\n", malformed(StatusLine)),
        ("HTTP/1.x 200 OK\r\n\r\n", malformed(StatusLine)),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", malformed(Field)),
        ("HTTP/1.1 200 OK\r\n: no name\r\n\r\n", malformed(Field)),
        ("HTTP/1.1 100 C\r\n\r\nSSH-2.0", malformed(NotHttp)),
        (&long, malformed(TooLarge)),
        (&endless, malformed(TooLarge)),
    ] {
        let start: String = answer.chars().take(80).collect();
        assert_eq!(parse(answer.as_bytes()), expected, "{start:?}");
    }
}

/// Returns the meaning of bytes that arrive in pieces: a decision may not come later than with all bytes, and only more bytes of a page
/// can change it.
fn parse_in_pieces(bytes: &[u8], pieces: &[usize]) -> Parsed {
    let mut end = 0;
    for piece in pieces.iter().cycle() {
        end = (end + piece.max(&1)).min(bytes.len());
        let parsed = parse(&bytes[..end]);
        if parsed != Parsed::Incomplete || end == bytes.len() {
            return parsed;
        }
    }
    Parsed::Incomplete
}

proptest! {
    #[test]
    fn any_bytes_have_a_meaning(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse(&bytes);
        parse(&[b"HTTP/1.1 200 OK\r\n", bytes.as_slice()].concat());
        parse(&[b"HTTP/1.1 407 X\r\nProxy-Authenticate: ", bytes.as_slice(), b"\r\n\r\n"].concat());
    }

    #[test]
    fn an_answer_means_the_same_in_pieces(
        status in 100_u16..600,
        fields in proptest::collection::vec(("[a-zA-Z-]{1,20}", "[ -~]{0,40}"), 0..8),
        pieces in proptest::collection::vec(1_usize..40, 1..8),
    ) {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let answer = format!("HTTP/1.1 {status} Phrase\r\n{fields}\r\n");
        let whole = parse(answer.as_bytes());
        prop_assert!(!matches!(whole, Parsed::Malformed(_)), "{:?}", whole);
        prop_assert_eq!(parse_in_pieces(answer.as_bytes(), &pieces), whole);
    }

    #[test]
    fn no_answer_is_incomplete_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut endless = b"HTTP/1.1 200 OK\r\n".to_vec();
        let filler = if bytes.is_empty() { b"x".as_slice() } else { &bytes };
        while endless.len() <= MAX_ANSWER {
            endless.extend_from_slice(filler);
        }
        prop_assert_ne!(parse(&endless), Parsed::Incomplete);
    }
}
