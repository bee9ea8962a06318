//! `gatepost subscribe` and `gatepost subscriptions`.

use std::process::Stdio;

use super::{ok, refusal};
use crate::support::{Conversing, Reply, chunk, command, http, run, stream};
use crate::{assert_refused, stderr, stdout};

const FIRST: &str = r#"{"id":5,"topic":"t/1","payload":"one","qos":1}"#;
const SECOND: &str = r#"{"id":6, "topic":"t/2","payload_base64":"/wA=","code":"none of an end"}"#;

fn both() -> String {
    format!("{FIRST}\n{SECOND}\n")
}

/// Returns the requests for acknowledgement that the daemon has received.
fn acknowledged(daemon: &Conversing) -> Vec<(String, String)> {
    let asked = daemon
        .asked()
        .into_iter()
        .filter(|asked| asked.target.starts_with("POST"));
    asked
        .map(|asked| (asked.target, String::from_utf8(asked.body).unwrap()))
        .collect()
}

/// Returns a daemon whose stream is `answer` and then ends. It accepts every acknowledgement.
fn streaming(answer: String) -> Conversing {
    Conversing::start(move |asked| match asked.target.starts_with("GET") {
        true => Reply::Last(answer.clone()),
        false => Reply::Answer(ok()),
    })
    .unwrap()
}

#[test]
fn lines_are_printed_as_they_came_until_there_are_enough() {
    for (arguments, target) in [
        (&["t/#", "--count", "2"][..], "GET /topics/t%2F%23"),
        (
            &["{thing}/+", "--count=2", "--qos", "0"],
            "GET /topics/%7Bthing%7D%2F%2B?qos=0",
        ),
    ] {
        let daemon = streaming(stream(&[FIRST, SECOND, FIRST]));
        let output = run(&daemon.socket(), &[&["subscribe"], arguments].concat()).unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{output:?}");
        assert_eq!(stdout(&output), both());
        assert_eq!(daemon.targets(), [target]);
    }
}

#[test]
fn a_stream_ends_with_its_reason() {
    let reason = |code: &str| format!(r#"{{"code":"{code}","message":"the reason","hint":"the hint"}}"#);
    let cut = stream(&[FIRST, SECOND]);
    let whole = |last: &str| stream(&[FIRST, SECOND, last]) + "0\r\n\r\n";
    for (answer, code, said) in [
        (whole(&reason("too_slow")), 75, "the reason\ngatepost: the hint"),
        (whole(&reason("taken_over")), 69, "the reason"),
        (whole(&reason("refused")), 77, "the reason"),
        (whole(&reason("deleted")), 66, "the reason"),
        (whole(&reason("unusable")), 69, "the reason"),
        (whole(&reason("another")), 75, "the reason"),
        (whole("{}"), 75, "has ended the stream"),
        (cut.clone() + "0\r\n\r\n", 75, "has ended the stream"),
        (cut.clone(), 75, "connection broke"),
        (cut.clone() + "5\r\n{}", 75, "connection broke"),
        (whole("garbage"), 76, "no JSON"),
        (cut.clone() + &chunk("{}"), 75, "connection broke"),
        (cut.clone() + &chunk("{}") + "0\r\n\r\n", 76, "has no end"),
        (cut + "fffffff\r\n", 76, "too large"),
    ] {
        let daemon = streaming(answer);
        let output = run(&daemon.socket(), &["subscribe", "t/#"]).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}: {output:?}");
        assert_eq!(stdout(&output), both(), "what came before is printed");
        assert!(stderr(&output).contains(said), "{said}: {output:?}");
    }
}

#[test]
fn a_refusal_of_the_subscription_is_reported() {
    for (status, code) in [
        ("400 Bad Request", 64),
        ("403 Forbidden", 77),
        ("429 Too Many Requests", 75),
        ("503 Service Unavailable", 69),
    ] {
        let daemon = Conversing::answering(refusal(status)).unwrap();
        assert_refused(&run(&daemon.socket(), &["subscribe", "t"]).unwrap(), code, "the reason");
    }
    let daemon = Conversing::answering(http("200 OK", "{}")).unwrap();
    assert_refused(&run(&daemon.socket(), &["subscribe", "t"]).unwrap(), 76, "not a stream");
    for arguments in [
        &["subscribe", "t", "--count", "some"][..],
        &["subscribe", "t", "--no-ack"],
        &["subscribe", ""],
    ] {
        assert_refused(&run(&daemon.socket(), arguments).unwrap(), 64, "");
    }
}

#[test]
fn a_message_of_a_durable_subscription_is_acknowledged_once_it_is_printed() {
    let path = "POST /subscriptions/worker%201/ack".to_owned();
    let daemon = streaming(stream(&[FIRST, SECOND]));
    let output = run(
        &daemon.socket(),
        &["subscribe", "t", "--name", "worker 1", "--count", "2"],
    )
    .unwrap();
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), both().as_str()),
        "{output:?}"
    );
    assert_eq!(daemon.targets()[0], "GET /topics/t?name=worker%201");
    assert_eq!(acknowledged(&daemon).last().unwrap(), &(path, "{\"id\":6}".to_owned()));

    let daemon = streaming(stream(&[FIRST, SECOND]));
    let output = run(
        &daemon.socket(),
        &["subscribe", "t", "--name=w", "--no-ack", "--count=2"],
    )
    .unwrap();
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), both().as_str()));
    assert_eq!(acknowledged(&daemon), [], "that is left to somebody else");

    let daemon = streaming(stream(&[r#"{"topic":"t"}"#]));
    let output = run(&daemon.socket(), &["subscribe", "t", "--name=w"]).unwrap();
    assert_eq!(output.status.code(), Some(76), "{output:?}");
}

#[test]
fn a_backlog_is_acknowledged_in_few_steps_and_to_its_end() {
    let lines: Vec<String> = (1..=200).map(|id| format!(r#"{{"id":{id},"topic":"t"}}"#)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let daemon = streaming(stream(&lines));
    let output = run(&daemon.socket(), &["subscribe", "t", "--name=w"]).unwrap();
    assert_eq!(stdout(&output), lines.join("\n") + "\n");
    let acknowledged = acknowledged(&daemon);
    assert_eq!(acknowledged.last().unwrap().1, "{\"id\":200}");
    assert!(acknowledged.len() <= 200 / 2, "{acknowledged:?}");
}

#[test]
fn an_unprinted_message_is_not_acknowledged() {
    let daemon = streaming(stream(&[FIRST, SECOND]));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&daemon.socket(), &["subscribe", "t", "--name", "w"])
        .stdout(Stdio::from(writer))
        .output()
        .unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(74), ""), "quietly");
    assert_eq!(acknowledged(&daemon), []);
}

#[test]
fn an_acknowledgement_that_is_refused_ends_it() {
    let daemon = Conversing::start(|asked| match asked.target.starts_with("GET") {
        true => Reply::Answer(stream(&[FIRST])),
        false => Reply::Answer(refusal("404 Not Found")),
    })
    .unwrap();
    let output = run(&daemon.socket(), &["subscribe", "t", "--name", "w"]).unwrap();
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(66), format!("{FIRST}\n").as_str())
    );
    assert!(stderr(&output).contains("the reason"));
}

#[test]
fn durable_subscriptions_are_listed_deleted_and_acknowledged() {
    let document = r#"{"subscriptions":[
        {"name":"worker","owner":"uid 1000","filter":"gw-1/#","qos":1,"waiting":12,"waiting_bytes":20480,"dropped":0},
        {"name":"w2","owner":"uid 1000","filter":"a","qos":0,"waiting":0,"waiting_bytes":0,"dropped":3,"suspended":true}]}"#;
    let daemon = Conversing::start(|asked| match asked.target.starts_with("GET") {
        true => Reply::Answer(http("200 OK", document)),
        false => Reply::Answer(ok()),
    })
    .unwrap();
    let output = run(&daemon.socket(), &["subscriptions"]).unwrap();
    let table = "\
NAME    WAITING  SIZE   DROPPED  QOS  STATE      OWNER     FILTER
worker  12       20 kB  0        1    active     uid 1000  gw-1/#
w2      0        0 B    3        0    suspended  uid 1000  a
";
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), table));
    let output = run(&daemon.socket(), &["subscriptions", "list", "--json"]).unwrap();
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with(r#"{"name":"worker","owner":"uid 1000","#),
        "{lines:?}"
    );
    for (arguments, target, body) in [
        (&["delete", "a/b"][..], "DELETE /subscriptions/a%2Fb", ""),
        (&["ack", "worker", "7"], "POST /subscriptions/worker/ack", "{\"id\":7}"),
    ] {
        let output = run(&daemon.socket(), &[&["subscriptions"], arguments].concat()).unwrap();
        assert_eq!(
            (output.status.code(), stdout(&output), stderr(&output)),
            (Some(0), "", "")
        );
        assert_eq!(daemon.targets().last().unwrap(), target);
        assert_eq!(daemon.bodies().last().unwrap(), body);
    }
    let output = run(&daemon.socket(), &["subscriptions", "ack", "worker", "x"]).unwrap();
    assert_refused(&output, 64, "not a number");
}
