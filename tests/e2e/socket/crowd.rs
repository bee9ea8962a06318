//! Callers that are too many or too slow: nobody else is affected.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rig::{unix_http, user};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::http::read_one;
use crate::support::{SOON, World};

const CROWD: usize = 10_000;
const REQUEST: &[u8] = b"GET /v1/credentials HTTP/1.1\r\nHost: x\r\n\r\n";
/// The limit on a user's requests: the rate, the burst, and those that are delayed.
const PER_SECOND: f64 = 500.0;
const BURST: f64 = 150.0;
/// The user ID of a user without a rule.
const STRANGER: u32 = 61009;

/// Creates a gateway that is online with those rules, and whose socket other users can reach.
fn world_with_rules(rules: &str) -> World {
    let mut world = World::new();
    world.gateway.config.push_str(rules);
    world.bring_online();
    open_folder(&world);
    world
}

fn open_folder(world: &World) {
    fs::set_permissions(world.gateway.folder.path(), Permissions::from_mode(0o755)).unwrap();
}

/// Opens this number of connections and holds them. If the backlog is full, connect(2) waits and does not fail.
pub fn crowd(socket: &Path, size: usize) -> Vec<UnixStream> {
    (0..size).map(|_| unix_http::connect(socket).unwrap()).collect()
}

/// Raises this process's limit to `CROWD` connections, or as many as it may have.
fn room_for_a_crowd() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let reserve = 1000;
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(CROWD as u64 + reserve);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).unwrap();
    }
    let room = usize::try_from(wanted - reserve).unwrap();
    if room < CROWD {
        eprintln!("NOT TESTED: {CROWD} connections, because this process may hold {room} only (ulimit -Hn)");
    }
    room
}

#[test]
fn ten_thousand_idle_connections_lock_nobody_out() {
    let mut world = World::new();
    world.bring_online();
    let socket = world.gateway.socket();
    open_folder(&world);
    let room = room_for_a_crowd();
    let mut kept = unix_http::connect(&socket).unwrap();
    let mut held = Vec::new();
    for size in [room / 10; 9] {
        held.extend(match user::is_root() {
            true => user::act_as(STRANGER, STRANGER, || crowd(&socket, size)).unwrap(),
            false => crowd(&socket, size),
        });
        assert_eq!(
            world.gateway.credentials().status,
            200,
            "beside {} connections",
            held.len()
        );
        if user::is_root() {
            kept.write_all(REQUEST).unwrap();
            assert_eq!(
                read_one(&mut kept).status,
                200,
                "another user's crowd costs nobody a connection"
            );
        }
    }
    held.extend(crowd(&socket, room / 10));
    assert_eq!(world.gateway.credentials().status, 200, "beside a crowd of one's own");
    drop(held);
    assert_eq!(world.gateway.credentials().status, 200);
    world.gateway.stop();
}

/// More concurrent callers than one user may have connections: every request is answered.
#[test]
fn every_request_of_a_burst_by_one_user_is_answered() {
    let mut world = World::new();
    world.bring_online();
    let socket = world.gateway.socket();
    for _ in 0..5 {
        let asked: Vec<UnixStream> = (0..300)
            .map(|_| {
                let mut stream = UnixStream::connect(&socket).unwrap();
                let request = b"GET /v1/credentials HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
                // If the connection was closed already, reading shows it.
                let _ = stream.write_all(request);
                stream
            })
            .collect();
        for (index, mut stream) in asked.into_iter().enumerate() {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let text = String::from_utf8_lossy(&answer);
            assert!(text.starts_with("HTTP/1.1 200"), "caller {index}: {text:?}");
        }
    }
    world.gateway.stop();
}

/// Sends requests over 64 connections until one is refused, 64,000 at most. Returns how many were sent, how long that took, and whether one
/// was refused.
fn send_in_a_loop(socket: &Path) -> (f64, Duration, bool) {
    let mut looping: Vec<UnixStream> = (0..64).map(|_| unix_http::connect(socket).unwrap()).collect();
    let (begun, mut sent) = (Instant::now(), 0.0);
    for _ in 0..1000 {
        looping.iter_mut().for_each(|stream| stream.write_all(REQUEST).unwrap());
        sent += 64.0;
        let answers: Vec<_> = looping.iter_mut().map(read_one).collect();
        if let Some(refused) = answers.iter().find(|answer| answer.status != 200) {
            assert_eq!(refused.status, 429);
            return (sent, begun.elapsed(), true);
        }
    }
    (sent, begun.elapsed(), false)
}

/// Requests 64 signatures of long requests at once; returns a refusal. Each costs as much as 64 other requests.
fn sign_at_once(socket: &Path) -> unix_http::Response {
    let url = format!("https://s3.us-east-2.amazonaws.com/{}", "a".repeat(28 * 1024));
    let body = format!(r#"{{"service":"s3","region":"us-east-2","method":"GET","url":"{url}"}}"#);
    let length = body.len();
    let request = format!("POST /v1/sign HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut streams: Vec<UnixStream> = (0..64).map(|_| unix_http::connect(socket).unwrap()).collect();
    for stream in &mut streams {
        stream.write_all(request.as_bytes()).unwrap();
    }
    let mut answers = streams.iter_mut().map(read_one).collect::<Vec<_>>().into_iter();
    answers
        .find(|answer| answer.status == 429)
        .expect("64 signatures at once are above the rate")
}

#[test]
fn a_program_in_a_loop_is_limited_and_delays_nobody() {
    if !user::is_root() {
        eprintln!("NOT TESTED: the limit on requests, because this user's own daemon does not limit it");
        return;
    }
    let mut world = world_with_rules(&format!("\n[[access]]\nuid = {STRANGER}\nrole-aliases = [\"*\"]\n"));
    let socket = world.gateway.socket();
    let begun = Instant::now();
    // As many as a user may have connections, all sending requests continuously. A machine that is too busy for the rate is not told of it.
    let (sent, took, refused) = user::act_as(STRANGER, STRANGER, || send_in_a_loop(&socket)).unwrap();
    assert!(
        refused || sent < BURST + PER_SECOND * took.as_secs_f64(),
        "{sent} requests in {took:?}, and none was refused"
    );
    // Signatures cost more of the same rate, so this is above it however busy the machine is.
    let refused = user::act_as(STRANGER, STRANGER, || sign_at_once(&socket)).unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let told = refused.json().unwrap();
    assert_eq!(told["code"], "too_many_requests");
    assert!(
        told["message"].as_str().unwrap().contains("more than 500 a second"),
        "{told}"
    );
    for _ in 0..3000 {
        assert_eq!(
            world.gateway.credentials().status,
            200,
            "root, and whoever the daemon runs as, is trusted"
        );
    }
    let again = || user::act_as(STRANGER, STRANGER, || world.gateway.credentials().status == 200).unwrap();
    rig::wait::until(SOON, "an answer to who asks at leisure", again).unwrap();
    let log = world.gateway.log();
    let lines = log.lines().filter(|line| line.contains("allowed role alias")).count();
    // Equal decisions are counted together for ten minutes.
    let periods = usize::try_from(begun.elapsed().as_secs() / 600).unwrap() + 1;
    assert!(
        lines < 20 * periods,
        "{lines} lines in the journal for thousands of requests"
    );
    world.gateway.stop();
}

/// Subordinate user IDs are cheap: newuidmap(1) gives an ordinary user 65,536 of them.
#[test]
fn promise_6_a_hundred_users_without_a_rule_lock_nobody_out() {
    lock_nobody_out("", |uid| uid);
}

/// All of them keep that user's primary group, so a rule about the group applies to each.
#[test]
fn promise_6_one_user_multiplied_by_its_group_locks_nobody_out() {
    const GROUP: u32 = 61020;
    let rule = format!("\n[[access]]\ngid = {GROUP}\nrole-aliases = [\"*\"]\npublish = [\"#\"]\nsubscribe = [\"#\"]\n");
    lock_nobody_out(&rule, |_| GROUP);
}

fn lock_nobody_out(rule: &str, gid: fn(u32) -> u32) {
    if !user::is_root() {
        eprintln!("NOT TESTED: a crowd of users, because only root may act as others");
        return;
    }
    const NAMED: u32 = 61010;
    let mut world = world_with_rules(&format!("\n[[access]]\nuid = {NAMED}\nrole-aliases = [\"*\"]\n{rule}"));
    let socket = world.gateway.socket();
    let unfinished: [&[u8]; 6] = [
        b"POST /v1/sign HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"GET /topics/%23 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /subscriptions/a/ack HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"GET /v1/credentials HTTP/1.1\r\nX: ",
        b"GET /v1/credentials HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
    ];
    let mut held = Vec::new();
    let mut answered = 0;
    for uid in 200_000..200_100 {
        let connections = user::act_as(uid, gid(uid), || {
            let connect = |number: usize| {
                let mut stream = unix_http::connect(&socket).unwrap();
                // If the connection was closed already, there is nothing to hold.
                let _ = stream.write_all(unfinished[number % unfinished.len()]);
                stream
            };
            (0..12).map(connect).collect::<Vec<_>>()
        });
        held.extend(connections.unwrap());
        for _ in 0..2 {
            assert_eq!(
                world.gateway.credentials().status,
                200,
                "root, beside {} others",
                held.len()
            );
        }
        let named = || (0..2).map(|_| world.gateway.credentials().status).collect::<Vec<_>>();
        answered += 2;
        assert_eq!(
            user::act_as(NAMED, NAMED, named).unwrap(),
            [200, 200],
            "a user with a rule, beside {} others",
            held.len()
        );
    }
    assert_eq!((held.len(), answered), (1200, 200));
    world.gateway.stop();
}

/// Connections at a rate that no program needs are refused unread, and affect nobody else.
#[test]
fn promise_6_a_flood_of_connections_is_refused_and_locks_nobody_out() {
    if !user::is_root() {
        eprintln!("NOT TESTED: a flood of connections, because only root may act as another user");
        return;
    }
    let mut world = world_with_rules(&format!("\n[[access]]\nuid = {STRANGER}\nrole-aliases = [\"*\"]\n"));
    let socket = world.gateway.socket();
    let over = AtomicBool::new(false);
    let refused = thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let flood = || {
                let mut refused = 0;
                while !over.load(Ordering::Relaxed) {
                    let mut stream = UnixStream::connect(&socket).unwrap();
                    let _ = stream.write_all(b"GET /v1/credentials HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                    let mut answer = Vec::new();
                    let _ = stream.read_to_end(&mut answer);
                    refused += usize::from(answer.starts_with(b"HTTP/1.1 429"));
                }
                refused
            };
            user::act_as(STRANGER, STRANGER, flood).unwrap()
        });
        for _ in 0..300 {
            assert_eq!(world.gateway.credentials().status, 200);
        }
        over.store(true, Ordering::Relaxed);
        flood.join().unwrap()
    });
    eprintln!("{refused} of the flood's connections were refused");
    world.gateway.stop();
}
