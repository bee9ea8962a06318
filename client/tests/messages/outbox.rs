//! `gatepost outbox`.

use std::sync::Mutex;

use super::refusal;
use crate::support::{Asked, Conversing, Reply, http, run};
use crate::{assert_refused, stderr, stdout};

fn entry(id: u64) -> String {
    format!(
        r#"{{"id":{id},"state":"queued","topic":"gw-1/data","bytes":12,"accepted":"1970-01-02T00:00:00.000Z","retain":false}}"#
    )
}

/// Returns the page of the list after the requested number; there are `last` messages.
fn page(asked: &Asked, last: u64) -> Reply {
    let after: u64 = asked.target.split_once("after=").unwrap().1.parse().unwrap();
    let entries: Vec<String> = (after + 1..=last.min(after + 100)).map(entry).collect();
    Reply::Answer(http("200 OK", &format!(r#"{{"messages":[{}]}}"#, entries.join(","))))
}

#[test]
fn a_long_list_comes_page_by_page() {
    let daemon = Conversing::start(|asked| page(asked, 250)).unwrap();
    for (arguments, lines) in [(&["outbox"][..], 251), (&["outbox", "list", "--json"], 250)] {
        let output = run(&daemon.socket(), arguments).unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
        assert_eq!(stdout(&output).lines().count(), lines, "{}", stdout(&output));
    }
    let pages = [0, 100, 200, 250].map(|after| format!("GET /v1/outbox/queued?after={after}"));
    assert_eq!(daemon.targets()[..4], pages);

    let daemon = Conversing::start(|asked| page(asked, 0)).unwrap();
    let output = run(&daemon.socket(), &["outbox", "list", "--parked"]).unwrap();
    assert_eq!(stdout(&output), "ID  STATE  ACCEPTED  BYTES  TOPIC  REASON\n");
    assert_eq!(daemon.targets(), ["GET /v1/outbox/parked?after=0"]);
}

#[test]
fn the_table_shows_what_is_known() {
    let document = r#"{"messages":[
        {"id":3,"state":"parked","topic":"others/data","bytes":3,"accepted":"1970-01-02T00:00:00.000Z","retain":false,
         "reason":"not authorized\u001b (0x87)"},
        {"id":40,"state":"sent","topic":"a","bytes":131072,"accepted":"some day","retain":true}]}"#;
    let pages = Mutex::new(vec![http("200 OK", r#"{"messages":[]}"#), http("200 OK", document)]);
    let daemon = Conversing::start(move |_| Reply::Answer(pages.lock().unwrap().pop().unwrap())).unwrap();
    let output = run(&daemon.socket(), &["outbox", "list", "--parked"]).unwrap();
    let table = "\
ID  STATE   ACCEPTED                  BYTES   TOPIC        REASON
3   parked  before the clock was set  3       others/data  not authorized\u{fffd} (0x87)
40  sent    some day                  131072  a
";
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), table));
}

#[test]
fn a_list_that_makes_no_progress_is_given_up() {
    let daemon = Conversing::answering(http("200 OK", &format!(r#"{{"messages":[{}]}}"#, entry(7)))).unwrap();
    let output = run(&daemon.socket(), &["outbox", "--json"]).unwrap();
    assert_eq!(output.status.code(), Some(76), "{output:?}");
    assert_eq!(daemon.asked().len(), 2);
}

#[test]
fn a_message_is_shown_with_all_there_is_to_it() {
    let document = r#"{"id":3,"state":"parked","topic":"others/data","bytes":3,"accepted":"1970-01-02T00:00:00.000Z",
        "retain":false,"reason":"not authorized (0x87)","contentType":"text/plain","userProperties":[["a","1"]],
        "payload":"two\nlines"}"#;
    let daemon = Conversing::answering(http("200 OK", document)).unwrap();
    let output = run(&daemon.socket(), &["outbox", "show", "3"]).unwrap();
    let screen = "\
id                      3
state                   parked
topic                   others/data
bytes                   3
accepted                before the clock was set (1970-01-02T00:00:00.000Z)
retain                  false
reason                  not authorized (0x87)
contentType             text/plain
userProperties          [[\"a\",\"1\"]]
payload                 two lines
";
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), screen));
    assert_eq!(daemon.targets(), ["GET /v1/outbox/3"]);
    // The largest payload, each byte of which is escaped with six.
    let large = format!(r#"{{"id":3,"payload":"{}"}}"#, "\\u0000".repeat(128 * 1024));
    let daemon = Conversing::answering(http("200 OK", &large)).unwrap();
    let output = run(&daemon.socket(), &["outbox", "show", "3", "--json"]).unwrap();
    assert_eq!(
        (output.status.code(), stdout(&output).trim_end()),
        (Some(0), large.as_str())
    );
}

#[test]
fn results_are_counted_in_the_message() {
    for (arguments, target, count, said) in [
        (&["purge", "3"][..], "DELETE /v1/outbox/3", 1, "1 message deleted\n"),
        (
            &["purge", "queued"],
            "DELETE /v1/outbox/queued",
            1200,
            "1200 messages deleted\n",
        ),
        (
            &["purge", "parked"],
            "DELETE /v1/outbox/parked",
            0,
            "0 messages deleted\n",
        ),
        (&["purge", "a/b"], "DELETE /v1/outbox/a%2Fb", 1, "1 message deleted\n"),
        (
            &["retry", "3"],
            "POST /v1/outbox/3/retry",
            1,
            "1 message to be sent again\n",
        ),
        (
            &["retry", "parked"],
            "POST /v1/outbox/parked/retry",
            2,
            "2 messages to be sent again\n",
        ),
    ] {
        let daemon = Conversing::answering(http("200 OK", &format!(r#"{{"messages":{count}}}"#))).unwrap();
        let output = run(&daemon.socket(), &[&["outbox"], arguments].concat()).unwrap();
        assert_eq!(
            (output.status.code(), stdout(&output), stderr(&output)),
            (Some(0), said, "")
        );
        assert_eq!(daemon.targets(), [target]);
    }
    for (status, code) in [("400 Bad Request", 64), ("403 Forbidden", 77), ("404 Not Found", 66)] {
        let daemon = Conversing::answering(refusal(status)).unwrap();
        for arguments in [&["list"][..], &["show", "3"], &["purge", "3"], &["retry", "3"]] {
            let output = run(&daemon.socket(), &[&["outbox"], arguments].concat()).unwrap();
            assert_refused(&output, code, "the reason");
        }
    }
    let daemon = Conversing::answering(http("200 OK", "{}")).unwrap();
    assert_refused(
        &run(&daemon.socket(), &["outbox", "purge", "3"]).unwrap(),
        76,
        "how many",
    );
}
