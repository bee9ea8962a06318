//! `gatepost publish`.

use std::process::Stdio;

use super::{ok, refusal};
use crate::support::{Conversing, Reply, command, http, run_with};
use crate::{assert_refused, stderr, stdout};

#[test]
fn a_message_goes_where_the_command_line_says() {
    let daemon = Conversing::answering(ok()).unwrap();
    for (arguments, input, target, body) in [
        (&["t", "hello"][..], &b"not read"[..], "POST /topics/t", &b"hello"[..]),
        (&["t"], b"from stdin\n", "POST /topics/t", b"from stdin\n"),
        (&["t"], b"", "POST /topics/t", b""),
        (&["t"], b"\xff\x00", "POST /topics/t", b"\xff\x00"),
        (&["t", "--", "-5"], b"", "POST /topics/t", b"-5"),
        (&["{thing}/a b", "x"], b"", "POST /topics/%7Bthing%7D%2Fa%20b", b"x"),
        (
            &[
                "t",
                "x",
                "--qos",
                "1",
                "--retain",
                "--content-type",
                "text/plain;a=b",
                "--expiry=60",
            ],
            b"",
            "POST /topics/t?qos=1&retain=true&contentType=text%2Fplain%3Ba%3Db&messageExpiry=60",
            b"x",
        ),
        (&["t", "x", "--wait"], b"", "POST /topics/t?wait=ack&timeout=30", b"x"),
        (
            &["t", "x", "--wait", "--timeout", "5"],
            b"",
            "POST /topics/t?wait=ack&timeout=5",
            b"x",
        ),
    ] {
        let output = run_with(&daemon.socket(), &[&["publish"], arguments].concat(), input).unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!((stdout(&output), stderr(&output)), ("", ""));
        let asked = daemon.asked().pop().unwrap();
        assert_eq!(
            (asked.target.as_str(), asked.body.as_slice()),
            (target, body),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_refusal_is_reported_and_has_an_exit_code() {
    for (status, code) in [
        ("400 Bad Request", 64),
        ("403 Forbidden", 77),
        ("408 Request Timeout", 75),
        ("410 Gone", 65),
        ("413 Payload Too Large", 65),
        ("429 Too Many Requests", 75),
        ("502 Bad Gateway", 65),
        ("503 Service Unavailable", 69),
        ("507 Insufficient Storage", 73),
    ] {
        let daemon = Conversing::answering(refusal(status)).unwrap();
        let output = run_with(&daemon.socket(), &["publish", "t", "x"], b"").unwrap();
        assert_refused(&output, code, "gatepost: the reason\ngatepost: the hint\n");
        let output = run_with(&daemon.socket(), &["publish", "t", "--lines"], b"a\nb\n").unwrap();
        assert_refused(&output, code, "gatepost: line 1: the reason\ngatepost: the hint\n");
        assert_eq!(daemon.asked().len(), 2, "{status}");
    }
    let accepted = http("202 Accepted", r#"{"message":"Accepted","id":7}"#);
    let daemon = Conversing::answering(accepted).unwrap();
    let output = run_with(&daemon.socket(), &["publish", "t", "x", "--wait", "--timeout=3"], b"").unwrap();
    assert_refused(&output, 75, "AWS has not acknowledged the message within 3 s");
    assert!(stderr(&output).contains("it is kept and will be sent"));
}

#[test]
fn lines_are_messages_on_one_connection() {
    let daemon = Conversing::answering(ok()).unwrap();
    let lines: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let output = run_with(
        &daemon.socket(),
        &["publish", "t", "--lines"],
        lines.join("\n").as_bytes(),
    )
    .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        daemon.bodies(),
        lines,
        "each once, in order, the last one without a line end"
    );
    assert!(daemon.asked().iter().all(|asked| asked.connection == 0));

    let daemon = Conversing::answering(ok()).unwrap();
    let output = run_with(&daemon.socket(), &["publish", "t", "--lines"], b"\na\r\n\n\xff\n\n").unwrap();
    assert!(output.status.success(), "{output:?}");
    let bodies: Vec<Vec<u8>> = daemon.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies, [b"a\r".to_vec(), b"\xff".to_vec()], "empty ones are left out");
    let output = run_with(&daemon.socket(), &["publish", "t", "--lines"], b"").unwrap();
    assert!(output.status.success() && daemon.asked().len() == 2);
}

#[test]
fn the_first_line_that_is_refused_is_the_last_one() {
    let daemon = Conversing::start(|asked| match asked.body.as_slice() {
        b"bad" => Reply::Answer(refusal("403 Forbidden")),
        _ => Reply::Answer(ok()),
    })
    .unwrap();
    let output = run_with(&daemon.socket(), &["publish", "t", "--lines"], b"a\n\nb\nbad\nc\n").unwrap();
    assert_refused(&output, 77, "line 4: the reason");
    assert_eq!(daemon.bodies(), ["a", "b", "bad"]);
}

#[test]
fn a_payload_that_is_too_long_is_refused_by_the_daemon_and_never_held_whole() {
    let daemon = Conversing::answering(refusal("413 Payload Too Large")).unwrap();
    let long = vec![b'x'; 10_000_000];
    for arguments in [&["publish", "t"][..], &["publish", "t", "--lines"]] {
        assert_refused(&run_with(&daemon.socket(), arguments, &long).unwrap(), 65, "the reason");
        let length = daemon.asked().pop().unwrap().body.len();
        assert!((128 * 1024 + 1..200_000).contains(&length), "{length}");
    }
    // The longest payload that fits is sent completely, whatever its line end.
    let daemon = Conversing::answering(ok()).unwrap();
    let longest = vec![b'x'; 128 * 1024];
    let lines = [&longest[..], b"\n", &longest[..]].concat();
    let output = run_with(&daemon.socket(), &["publish", "t", "--lines"], &lines).unwrap();
    assert!(output.status.success(), "{output:?}");
    let lengths: Vec<usize> = daemon.asked().iter().map(|asked| asked.body.len()).collect();
    assert_eq!(lengths, [longest.len(), longest.len()]);
}

#[test]
fn a_connection_that_the_daemon_has_closed_is_opened_again() {
    let daemon = Conversing::start(|_| Reply::Last(ok())).unwrap();
    let output = run_with(&daemon.socket(), &["publish", "t", "--lines"], b"a\nb\nc").unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(daemon.bodies(), ["a", "b", "c"]);
}

#[test]
fn a_daemon_that_dies_over_a_message_is_asked_once_more_unless_it_is_for_at_most_once() {
    for (qos, code, bodies) in [("1", Some(0), vec!["a", "a", "b"]), ("0", Some(75), vec!["a"])] {
        let daemon = Conversing::start(|asked| match asked.connection {
            0 => Reply::Nothing,
            _ => Reply::Answer(ok()),
        })
        .unwrap();
        let output = run_with(&daemon.socket(), &["publish", "t", "--lines", "--qos", qos], b"a\nb").unwrap();
        assert_eq!(output.status.code(), code, "{output:?}");
        assert_eq!(daemon.bodies(), bodies, "qos {qos}");
    }
    let daemon = Conversing::start(|_| Reply::Nothing).unwrap();
    let output = run_with(&daemon.socket(), &["publish", "t", "x"], b"").unwrap();
    assert_refused(&output, 75, "connection broke");
    assert_eq!(daemon.asked().len(), 2, "not for ever");
}

#[test]
fn wrong_usage_asks_nothing() {
    let daemon = Conversing::answering(ok()).unwrap();
    for (arguments, reason) in [
        (&["publish"][..], "the topic is missing"),
        (&["publish", ""], "the topic is empty"),
        (&["publish", "t", "x", "--lines"], "--lines reads stdin"),
        (&["publish", "t", "x", "--timeout", "5"], "--timeout belongs to --wait"),
        (
            &["publish", "t", "x", "--wait", "--timeout", "soon"],
            "not a number of seconds",
        ),
    ] {
        assert_refused(&run_with(&daemon.socket(), arguments, b"").unwrap(), 64, reason);
    }
    assert!(daemon.asked().is_empty());
    let folder = std::fs::File::open("/").unwrap();
    let output = command(&daemon.socket(), &["publish", "t"])
        .stdin(Stdio::from(folder))
        .output()
        .unwrap();
    assert_refused(&output, 74, "cannot read stdin");
}
