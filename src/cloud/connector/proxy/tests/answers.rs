//! Tests of answers that open no tunnel.

use super::Script;
use crate::problem::Remedy;

#[tokio::test]
async fn promise_8_each_answer_without_a_tunnel_is_a_problem_with_its_next_step() {
    use Remedy::{Configuration, Wait};
    let megabyte = format!("HTTP/1.1 200 OK\r\n{}", "x: y\r\n".repeat(170_000));
    let challenge =
        |scheme: &str| format!("HTTP/1.1 407 Auth\r\nProxy-Authenticate: {scheme} realm=\"hunter2\"\r\n\r\n");
    let status = |status: u16| format!("HTTP/1.1 {status} Phrase\r\nContent-Type: text/html\r\n\r\n<h1>hunter2</h1>");
    let user = Some(("gw", "hunter2"));
    // The configured user, the answer, and the message.
    for (user, answer, remedy, words, step) in [
        (
            None,
            challenge("Basic"),
            Configuration,
            "requires a user name and a password (407)",
            "network.proxy-user",
        ),
        (
            None,
            status(407),
            Configuration,
            "requires a user name",
            "network.proxy-user",
        ),
        (
            user,
            challenge("Basic"),
            Configuration,
            "refuses the user name \"gw\" or its password",
            "proxy-secret",
        ),
        (
            user,
            status(407),
            Configuration,
            "refuses the user name",
            "proxy-secret",
        ),
        (
            user,
            challenge("NTLM"),
            Configuration,
            "by ntlm (407), and gatepost supports only Basic",
            "accept Basic",
        ),
        (
            None,
            challenge("Digest"),
            Configuration,
            "by digest (407)",
            "accept Basic",
        ),
        (
            None,
            challenge("Negotiate"),
            Configuration,
            "by negotiate (407)",
            "accept Basic",
        ),
        (
            None,
            status(403),
            Configuration,
            "(403: forbidden)",
            "aws.mqtt-endpoint = \"a1-ats.iot.us-east-2.amazonaws.com:443\"",
        ),
        (None, status(401), Configuration, "(401: forbidden)", "allow CONNECT"),
        (
            user,
            status(401),
            Configuration,
            "refuses the user name \"gw\" or its password (401)",
            "proxy-secret",
        ),
        (
            None,
            status(400),
            Configuration,
            "does not accept CONNECT",
            "check network.proxy",
        ),
        (
            None,
            status(405),
            Configuration,
            "does not accept CONNECT",
            "check network.proxy",
        ),
        (
            None,
            status(501),
            Configuration,
            "does not accept CONNECT",
            "check network.proxy",
        ),
        (
            None,
            status(302),
            Configuration,
            "with a redirection (302)",
            "sign-in page",
        ),
        (None, status(418), Configuration, "(418)", "proxy's log"),
        (None, status(429), Wait, "too many requests", "limits"),
        (None, status(500), Wait, "a fault of the proxy", "proxy's log"),
        (None, status(502), Wait, "it cannot reach it", "name service"),
        (None, status(503), Wait, "it cannot reach it", "name service"),
        (None, status(504), Wait, "it cannot reach it", "name service"),
        (
            None,
            status(200),
            Configuration,
            "200 and a page of its own",
            "sign-in page",
        ),
        (
            None,
            String::new(),
            Wait,
            "closed the connection instead of answering",
            "proxy's log",
        ),
        (
            None,
            "HTTP/1.1 200 O".to_owned(),
            Wait,
            "closed the connection",
            "proxy's log",
        ),
        (
            None,
            megabyte,
            Configuration,
            "header is larger than 16384 bytes",
            "check network.proxy",
        ),
        (
            None,
            "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
            Configuration,
            "does not begin with HTTP/1",
            "check network.proxy",
        ),
        (
            None,
            "<html>hunter2</html>".to_owned(),
            Configuration,
            "does not begin with HTTP/1",
            "check network.proxy",
        ),
        (
            None,
            "\u{15}\u{3}\u{3}\0\u{2}\u{2}F".to_owned(),
            Configuration,
            "expects TLS",
            "HTTP port",
        ),
        (
            None,
            "HTTP/1.1 99 X\r\n\r\n".to_owned(),
            Configuration,
            "first line has no status",
            "check network.proxy",
        ),
        (
            None,
            "HTTP/1.1 200 X\r\nhunter2\r\n\r\n".to_owned(),
            Configuration,
            "has no name",
            "check network.proxy",
        ),
    ] {
        let start: String = answer.chars().take(40).collect();
        let proxy = Script::new(user).await;
        let (outcome, _) = proxy.open(answer.as_bytes()).await;
        let problem = outcome.expect_err(&start);
        let next = problem.next_step.clone().unwrap_or_default();
        assert_eq!(problem.remedy, remedy, "{start:?}: {problem}");
        assert!(
            problem.message.contains(words) && next.contains(step),
            "{start:?}: {problem}"
        );
        assert!(problem.message.contains("the proxy 127."), "{start:?}: {problem}");
        assert!(!problem.to_string().contains("hunter2"), "{start:?}: {problem}");
    }
}
