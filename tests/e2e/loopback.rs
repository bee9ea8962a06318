//! The loopback listener: credentials for SDKs that can only speak TCP, for programs that can read the token file.

mod limits;
mod token_files;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use rig::unix_http::{self, Response};

use crate::command::{client, contains_all, run};
use crate::support::{Gateway, World};

const URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// A second rule, whose token must not give access to what the first one grants.
const OTHER_RULE: &str = r#"
[[access]]
uid = 61001
role-aliases = ["video"]
[[access]]
gid = 61002
role-aliases = ["telemetry"]
[[access]]
unit = "camera.service"
role-aliases = ["telemetry"]
[[role-alias]]
name = "video"
"#;

/// Switches the listener on, at a free port.
pub fn switch_on(gateway: &mut Gateway) -> SocketAddr {
    let address = SocketAddr::from(([127, 0, 0, 1], rig::port::free_pair().unwrap()));
    gateway
        .config
        .push_str(&format!("\n[loopback]\nlisten = \"{address}\"\n"));
    address
}

fn online() -> (World, SocketAddr) {
    let mut world = World::new();
    world.gateway.config.push_str(OTHER_RULE);
    let address = switch_on(&mut world.gateway);
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world.gateway.wait_for_text("loopback.phase", "listening");
    (world, address)
}

pub fn file(gateway: &Gateway, name: &str) -> PathBuf {
    gateway.folder.path().join("run/loopback").join(name)
}

fn token(gateway: &Gateway, name: &str) -> String {
    fs::read_to_string(file(gateway, name)).unwrap()
}

/// Returns the token of the rule for the user who runs the tests.
pub fn own_token(gateway: &Gateway) -> String {
    token(gateway, &own())
}

/// Returns the name of the token file of the rule for the user who runs the tests.
pub fn own() -> String {
    format!("uid-{}", rustix::process::getuid().as_raw())
}

fn ask(address: SocketAddr, request: &str) -> Response {
    let stream = TcpStream::connect(address).unwrap();
    unix_http::parse(&unix_http::converse(stream, request.as_bytes()).unwrap()).unwrap()
}

pub fn get(address: SocketAddr, path: &str, token: &str) -> Response {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"),
    )
}

#[test]
fn promise_7_a_token_has_exactly_the_permissions_of_its_rule() {
    let (mut world, address) = online();
    let (own, other) = (token(&world.gateway, &own()), token(&world.gateway, "uid-61001"));
    let get = |path: &str, token: &str| get(address, path, token);
    let answer = get("/v1/credentials/telemetry", &own);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.body,
        world.gateway.credentials().body,
        "the same as on the socket"
    );
    assert_eq!(get("/v1/credentials", &own).body, answer.body, "the default alias");

    let from = |host: &str, more: &str| {
        ask(
            address,
            &format!(
                "GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\nAuthorization: {own}\r\n{more}Connection: close\r\n\r\n"
            ),
        )
    };
    let here = address.to_string();
    let cases = [
        (
            "another rule's token",
            get("/v1/credentials/telemetry", &other),
            403,
            "not_allowed",
        ),
        (
            "an alias that has no credentials",
            get("/v1/credentials/video", &other),
            503,
            "not_ready",
        ),
        (
            "an unknown alias",
            get("/v1/credentials/nope", &own),
            404,
            "unknown_alias",
        ),
        (
            "path traversal",
            get("/v1/credentials/..%2fstatus", &own),
            404,
            "unknown_alias",
        ),
        (
            "129 characters",
            get(&format!("/v1/credentials/{}", "a".repeat(129)), &own),
            404,
            "unknown_alias",
        ),
        ("no escape", get("/v1/credentials/%zz", &own), 404, "not_found"),
        ("the status", get("/v1/status", &own), 404, "not_found"),
        ("the signing request", get("/v1/csr", &own), 404, "not_found"),
        ("no token", get("/v1/credentials", ""), 401, "unauthorized"),
        ("half a token", get("/v1/credentials", &own[..63]), 401, "unauthorized"),
        (
            "a token and more",
            get("/v1/credentials", &format!("{own}0")),
            401,
            "unauthorized",
        ),
        (
            "two tokens",
            from(&here, &format!("Authorization: {own}\r\n")),
            401,
            "unauthorized",
        ),
        ("another host", from("evil.example", ""), 421, "wrong_host"),
        (
            "another host at our port",
            from(&format!("evil.example:{}", address.port()), ""),
            421,
            "wrong_host",
        ),
        ("another port", from("127.0.0.1:1", ""), 421, "wrong_host"),
        ("two hosts", from(&here, "Host: evil.example\r\n"), 421, "wrong_host"),
        (
            "another method",
            ask(
                address,
                &format!(
                    "PUT /v1/credentials HTTP/1.1\r\nHost: {address}\r\nAuthorization: {own}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                ),
            ),
            405,
            "method_not_allowed",
        ),
    ];
    for (what, answer, status, code) in cases {
        let body = answer.json().unwrap();
        assert_eq!(
            (answer.status, body["code"].as_str()),
            (status, Some(code)),
            "{what}: {body}"
        );
        assert_eq!(
            (&body["Code"], &body["Message"]),
            (&body["code"], &body["message"]),
            "{what}: for the SDKs"
        );
        assert!(!body.to_string().contains("SecretAccessKey"), "{what}");
    }
    // The AWS Common Runtime sends no port.
    for host in [&*format!("localhost:{}", address.port()), "localhost", "127.0.0.1"] {
        assert_eq!(from(host, "").status, 200, "{host}");
    }
    // This is the last of these lines; a separate thread reads the log.
    world
        .gateway
        .wait_for_log("addressed another host (no single Host header)");
    let log = world.gateway.log();
    contains_all(
        &log,
        &[
            "the holder of the token for uid 61001 was refused role alias telemetry because no rule grants it",
            "a caller of the loopback listener presented an unknown token",
            "was refused because it addressed another host (evil.example)",
        ],
    );
    assert!(!log.contains(&own) && !log.contains(&other), "promise 10");
    let status = world.gateway.status().to_string();
    assert!(status.contains("uid-61001") && !status.contains(&own), "promise 10");
}

#[test]
fn the_listener_is_off_by_default_and_waits_for_an_address_in_use() {
    let mut world = World::new();
    world.bring_online();
    assert!(world.gateway.status()["loopback"].is_null());
    let (code, out, reason) = run(&mut client(&world.gateway, &["env"]));
    assert_eq!((code, out.as_str()), (78, ""));
    contains_all(
        &reason,
        &["the loopback listener is off", "loopback.listen = \"127.0.0.1:9922\""],
    );
    world.gateway.stop();

    let address = switch_on(&mut world.gateway);
    let taken = TcpListener::bind(address).unwrap();
    world.gateway.start();
    world
        .gateway
        .wait_for_words("loopback.problem.message", &format!("cannot use {address}"));
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    assert_eq!(world.gateway.credentials().status, 200, "promise 6: the rest goes on");
    assert_eq!(world.gateway.status()["state"], "attention");
    let retry = || run(&mut client(&world.gateway, &["retry", "listeners", "--wait"]));
    let (code, said, noted) = retry();
    assert_eq!(code, 78, "{said}{noted}");
    contains_all(
        &said,
        &["loopback listener: it is bound now", &format!("cannot use {address}")],
    );
    drop(taken);
    let (code, said, noted) = retry();
    assert_eq!(code, 0, "{said}{noted}");
    contains_all(&said, &["loopback listener: listening"]);
    let (_, said, _) = retry();
    contains_all(&said, &["loopback listener: programs can connect"]);
    world.gateway.wait_online();
}
