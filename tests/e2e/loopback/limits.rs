//! No caller of the loopback listener can prevent others from using it.

use rig::wait;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{SOON, World};

use super::{OTHER_RULE, ask, get, online, own_token, switch_on, token};

#[test]
fn promise_6_programs_that_wait_for_long_lock_nobody_out() {
    let mut world = World::new();
    world
        .gateway
        .configure("role-aliases = [\"*\"]", "role-aliases = [\"*\"]\npublish = [\"#\"]");
    let address = switch_on(&mut world.gateway);
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world.gateway.wait_for_text("loopback.phase", "listening");
    let token = own_token(&world.gateway);
    // AWS accepts nothing any more, so programs that want its acknowledgement wait.
    world
        .cloud
        .switches()
        .set(|switches| switches.refuse_connect = Some(0x88));
    world.cloud.disconnect(crate::support::THING);
    world.gateway.wait_for("session.phase", |phase| phase != "connected");
    let publish = format!(
        "POST /topics/a?wait=ack&timeout=300 HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nContent-Length: 1\r\n\r\nx"
    );
    let mut waiting: Vec<TcpStream> = Vec::new();
    // The first programs wait; from some number on they are refused, the last of them in any case.
    let refused = wait::until_some(SOON, "a program that is refused", || {
        if waiting.len() < 256 {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(publish.as_bytes()).unwrap();
            stream.set_nonblocking(true).unwrap();
            waiting.push(stream);
        }
        let mut head = [0; 12];
        let is_answered = |stream: &TcpStream| stream.peek(&mut head).is_ok_and(|length| length == head.len());
        waiting
            .iter()
            .any(is_answered)
            .then(|| String::from_utf8_lossy(&head).into_owned())
    });
    assert_eq!(refused.unwrap(), "HTTP/1.1 429");
    let credentials = get(address, "/v1/credentials/telemetry", &token);
    assert_eq!(credentials.status, 200, "{:?}", credentials.json());
}

#[test]
fn promise_6_callers_without_a_token_lock_no_holder_out() {
    let (world, address) = online();
    let own = own_token(&world.gateway);
    // Callers that occupy as much as they can: request heads that never end, and silent connections.
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(address).unwrap();
        if number % 2 == 0 {
            let _ = stream.write_all(b"GET /v1/credentials HTTP/1.1\r\nX: ");
        }
        held.push(stream);
    }
    let without = |authorization: &str, host: &str| {
        format!("GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n")
    };
    let here = address.to_string();
    let requests = [
        without("", &here),
        without("Authorization: wrong\r\n", &here),
        without("", "evil.example"),
        without("Content-Length: 1000\r\n", &here),
    ];
    std::thread::scope(|scope| {
        // Three hundred callers without a token send requests all the time.
        for caller in 0..6 {
            let requests = &requests;
            scope.spawn(move || {
                for number in 0..50 {
                    let answer = ask(address, &requests[(caller + number) % requests.len()]);
                    assert!(matches!(answer.status, 401 | 421), "{}", answer.status);
                }
            });
        }
        for caller in 0..4 {
            let own = &own;
            scope.spawn(move || {
                for number in 0..20 {
                    let answer = get(address, "/v1/credentials/telemetry", own);
                    assert_eq!(answer.status, 200, "caller {caller}, request {number}");
                }
            });
        }
    });
    assert_eq!(get(address, "/v1/credentials/telemetry", &own).status, 200);
    drop(held);
}

/// A token holder's idle connection is not evicted for a caller that has presented no token.
#[test]
fn promise_6_an_idle_connection_of_a_token_holder_stays() {
    let (world, address) = online();
    let own = own_token(&world.gateway);
    let mut kept = TcpStream::connect(address).unwrap();
    let request = format!("GET /v1/credentials HTTP/1.1\r\nHost: {address}\r\nAuthorization: {own}\r\n\r\n");
    let mut asks = || {
        kept.write_all(request.as_bytes()).unwrap();
        crate::socket::read_one(&mut kept).status
    };
    assert_eq!(asks(), 200);
    let crowd: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(address).unwrap()).collect();
    // A later connection was answered, so all of these have been accepted.
    assert_eq!(get(address, "/v1/credentials", &own).status, 200);
    assert_eq!(asks(), 200);
    drop(crowd);
}

#[test]
fn promise_6_one_user_does_not_take_everybodys_filters() {
    let mut world = World::new();
    let rules = OTHER_RULE.replacen("role-aliases", "subscribe = [\"#\"]\nrole-aliases", 1);
    world.gateway.config.push_str(&rules);
    let everything = "role-aliases = [\"*\"]\npublish = [\"#\"]\nsubscribe = [\"#\"]";
    world.gateway.configure("role-aliases = [\"*\"]", everything);
    let address = switch_on(&mut world.gateway);
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("messages.phase", "ready");
    world.gateway.wait_for_text("identity.phase", "ready");
    world.gateway.wait_for_text("loopback.phase", "listening");
    let subscribe = |token: &str, target: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        (stream, String::from_utf8_lossy(&head).into_owned())
    };
    let others = token(&world.gateway, "uid-61001");
    let own = own_token(&world.gateway);
    // Streams that stay open: half of AWS's 50 filters. Durable subscriptions: 16 of one account.
    for (kind, limit) in [("", 25), ("?name=n", 16)] {
        let target = |number: usize| match kind {
            "" => format!("/topics/t{number}"),
            name => format!("/topics/t{number}{name}{number}"),
        };
        let answers: Vec<_> = (0..=limit).map(|number| subscribe(&others, &target(number))).collect();
        let (last, before) = answers.split_last().unwrap();
        let heads: Vec<&str> = before.iter().map(|(_, head)| head.as_str()).collect();
        assert!(heads.iter().all(|head| *head == "HTTP/1.1 200"), "{kind}: {heads:?}");
        assert_eq!(last.1, "HTTP/1.1 429", "{kind}");
        let room = subscribe(&own, &target(limit + 1)).1;
        assert_eq!(room, "HTTP/1.1 200", "{kind}: there is room for others");
        if kind.is_empty() {
            continue;
        }
        assert_eq!(
            subscribe(&others, &target(3)).1,
            "HTTP/1.1 200",
            "its own it may take up again"
        );
    }
}
