//! Tests of the table of routes.

use super::*;

fn outcome(listener: ListenerKind, method: &str, path: &str) -> Result<(Handler, Vec<String>), String> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match find_route(listener, method, &segments) {
        Ok((route, values)) => Ok((route.handler, values.into_iter().map(str::to_owned).collect())),
        Err(error) => Err(format!("{error:?}")),
    }
}

#[test]
fn each_request_finds_its_route() {
    use Handler::*;
    for (method, path, handler, values) in [
        ("GET", "/v1/credentials", Credentials, &[][..]),
        ("GET", "/v1/credentials/a", Credentials, &["a"]),
        ("GET", "/v1/loopback/a", LoopbackEnv, &["a"]),
        ("POST", "/v1/log-level", SetLogLevel, &[]),
        ("POST", "/v1/retry/credentials/a", Retry, &["credentials", "a"]),
        ("POST", "/v1/retry", Retry, &[]),
        ("GET", "/v1/outbox/parked", ListOutbox, &[]),
        ("GET", "/v1/outbox/7", ShowMessage, &["7"]),
        ("DELETE", "/v1/outbox/parked", PurgeOutbox, &["parked"]),
        ("POST", "/v1/outbox/7/retry", RetryOutbox, &["7"]),
        ("GET", "/topics/a/b/#", Subscribe, &["a", "b", "#"]),
        ("POST", "/topics/a", Publish, &["a"]),
        ("POST", "/topics//a", Publish, &["", "a"]),
        ("POST", "/topics", Publish, &[]),
        ("DELETE", "/subscriptions/s", DeleteSubscription, &["s"]),
        ("POST", "/subscriptions/s/ack", Acknowledge, &["s"]),
        ("GET", "/metrics", Metrics, &[]),
    ] {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        assert_eq!(
            outcome(ListenerKind::Socket, method, path),
            Ok((handler, values)),
            "{method} {path}"
        );
    }
}

#[test]
fn another_method_or_path_is_answered_with_what_there_is() {
    use ListenerKind::{LoopbackOpen, LoopbackWithToken, Socket};
    for (listener, method, path, texts) in [
        (Socket, "POST", "/v1/credentials", &["405", "accepts only GET"][..]),
        (Socket, "HEAD", "/v1/credentials/a", &["405", "accepts only GET"]),
        (Socket, "PUT", "/topics/a", &["405", "accepts only GET, POST"]),
        (Socket, "PUT", "/v1/outbox/7", &["405", "accepts only GET, DELETE"]),
        (Socket, "GET", "/v1/outbox/7/retry", &["405", "accepts only POST"]),
        (Socket, "GET", "/v1/sign", &["405", "accepts only POST"]),
        (Socket, "GET", "/v1/sign/", &["404", "/v1/sign"]),
        (
            Socket,
            "GET",
            "/v1/credential",
            &["404", "/v1/credentials, /v1/credentials/{alias}, "],
        ),
        (
            Socket,
            "GET",
            "/",
            &["404", "/v1/credentials", "/topics/{topic...}", "/metrics"],
        ),
        (
            Socket,
            "GET",
            "/v1/outbox/a/b/c",
            &["404", "\"there are /v1/outbox/queued, /v1/outbox/parked, "],
        ),
        (
            Socket,
            "GET",
            "/subscriptions/a/b",
            &["404", "/subscriptions/{name}/ack"],
        ),
        (
            LoopbackWithToken,
            "GET",
            "/v1/status",
            &["404", "on the loopback listener there are /v1/credentials, "],
        ),
        (LoopbackWithToken, "POST", "/v1/sign", &["404"]),
        (LoopbackWithToken, "GET", "/metrics", &["404"]),
        (LoopbackWithToken, "DELETE", "/v1/credentials", &["405"]),
        (LoopbackOpen, "POST", "/metrics", &["405", "accepts only GET"]),
        (LoopbackOpen, "GET", "/v1/credentials", &["404", "there are /metrics"]),
    ] {
        let error = outcome(listener, method, path).unwrap_err();
        for text in texts {
            assert!(error.contains(text), "{method} {path}: {error}");
        }
    }
}

#[test]
fn only_metrics_need_no_token() {
    let open = ROUTES.iter().filter(|route| route.on_loopback == OnLoopback::Open);
    assert_eq!(open.map(|route| route.pattern).collect::<Vec<_>>(), ["/metrics"]);
}
