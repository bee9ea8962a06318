//! The loopback listener: credentials for SDKs that can only speak TCP, for whoever can read the token file.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rig::process::Signal;
use rig::unix_http::{self, Response};
use rig::{command, executable, user, wait};

use crate::bad_input::check_config;
use crate::command::{client, contains_all, run};
use crate::support::{Gateway, SOON, World};

const URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// A second rule, with a token that must not open what the first one's does.
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

/// The token of the rule for whoever runs the tests.
pub fn own_token(gateway: &Gateway) -> String {
    token(gateway, &own())
}

/// The token file of the rule for whoever runs the tests.
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
fn promise_7_a_token_opens_what_its_rule_gives_and_nothing_else() {
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
    // The last of these lines; a log is read by a thread of its own.
    world
        .gateway
        .wait_for_log("addressed another host (no single Host header)");
    let log = world.gateway.log();
    contains_all(
        &log,
        &[
            "the holder of the token for uid 61001 was refused role alias telemetry because no rule gives it",
            "a caller of the loopback listener showed a token that is none of ours",
            "was refused because it addressed another host (evil.example)",
        ],
    );
    assert!(!log.contains(&own) && !log.contains(&other), "promise 10");
    let status = world.gateway.status().to_string();
    assert!(status.contains("uid-61001") && !status.contains(&own), "promise 10");
}

#[test]
fn a_token_file_is_its_readers_alone_and_made_anew() {
    let mut world = World::new();
    world.gateway.config.push_str(OTHER_RULE);
    let address = switch_on(&mut world.gateway);
    // What was there before is neither followed nor kept.
    let elsewhere = world.gateway.folder.path().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    let folder = file(&world.gateway, "");
    fs::create_dir_all(&folder).unwrap();
    symlink(&elsewhere, folder.join(own())).unwrap();
    symlink(&elsewhere, folder.join("uid-61001.draft")).unwrap();
    fs::write(folder.join("left-behind"), "").unwrap();
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("loopback.phase", "listening");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");

    let first = token(&world.gateway, &own());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
    assert!(!folder.join("left-behind").exists());
    assert!(
        first.len() == 64 && !first.ends_with('\n'),
        "botocore would send a line end along"
    );
    let details = |name: &str| {
        let file = fs::symlink_metadata(file(&world.gateway, name)).unwrap();
        (
            file.is_file(),
            file.uid(),
            file.gid(),
            file.permissions().mode() & 0o7777,
        )
    };
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(details(&own()).3, 0o400);
    if user::is_root() {
        assert_eq!(details("uid-61001"), (true, 61001, 0, 0o400));
        assert_eq!(details("gid-61002"), (true, 0, 61002, 0o440));
        assert_eq!(details("unit-camera.service"), (true, 0, 0, 0o400));
    }
    assert_eq!(details(&own()).1, uid);

    // A reload keeps what running programs hold; what no rule needs any more is gone.
    world.gateway.configure("uid = 61001", "uid = 61003");
    world.gateway.write_config();
    world.gateway.process().signal(Signal::HUP).unwrap();
    let there = |gateway: &Gateway, name: &str| file(gateway, name).exists();
    wait::until(SOON, "the new rule's file", || {
        there(&world.gateway, "uid-61003") && !there(&world.gateway, "uid-61001")
    })
    .unwrap();
    assert_eq!(get(address, "/v1/credentials", &first).status, 200);

    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_for_text("loopback.phase", "listening");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    assert_eq!(
        get(address, "/v1/credentials", &first).status,
        401,
        "a token lives as long as the daemon"
    );
    assert_eq!(
        get(address, "/v1/credentials", &token(&world.gateway, &own())).status,
        200
    );
}

#[test]
fn an_administrators_own_token_is_taken_and_replaced_in_use() {
    let mut world = World::new();
    let path = world.gateway.folder.path().join("camera.token");
    let write = |token: &str, mode: u32| {
        fs::write(&path, token).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let (first, second) = ("first-0123456789abcdef0123456789", "second-0123456789abcdef012345678");
    write(&format!("{first}\n"), 0o640);
    let rule = format!("role-aliases = [\"*\"]\ntoken-file = \"{}\"", path.display());
    world.gateway.configure("role-aliases = [\"*\"]", &rule);
    let address = switch_on(&mut world.gateway);
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world.gateway.wait_for_text("loopback.phase", "listening");
    let status = |token: &str| get(address, "/v1/credentials", token).status;
    assert_eq!(status(first), 200);
    assert!(!file(&world.gateway, &own()).exists(), "gatepost makes none beside it");
    let (_, lines, _) = run(&mut client(&world.gateway, &["env"]));
    assert!(lines.contains(&format!("{TOKEN_FILE}='{}'", path.display())), "{lines}");

    write(second, 0o600);
    world.gateway.process().signal(Signal::HUP).unwrap();
    wait::until(SOON, "the second token", || status(second) == 200).unwrap();
    assert_eq!(status(first), 401);

    // What others could have read or written is no secret; what is no file is not read.
    type Make = fn(&Path, &str);
    fn put(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut cases: Vec<(&str, Make)> = vec![
        ("is open to others (mode 0644)", |path, token| put(path, token, 0o644)),
        ("is open to others (mode 0660)", |path, token| put(path, token, 0o660)),
        ("is open to others (mode 0602)", |path, token| put(path, token, 0o602)),
        ("holds 5 characters, and a token has 32 to 512", |path, _| {
            put(path, "short", 0o600)
        }),
        ("holds 31 characters, and a token has 32 to 512", |path, token| {
            put(path, &token[1..], 0o600)
        }),
        ("holds 513 characters, and a token has 32 to 512", |path, _| {
            put(path, "x".repeat(513), 0o600)
        }),
        ("holds 0 characters, and a token has 32 to 512", |path, _| {
            put(path, "", 0o600)
        }),
        ("holds 0 characters, and a token has 32 to 512", |path, _| {
            put(path, "\n", 0o600)
        }),
        ("holds something besides letters, digits", |path, token| {
            put(path, format!("{token}\n\n"), 0o600)
        }),
        ("holds something besides letters, digits", |path, token| {
            put(path, format!("\u{feff}{token}"), 0o600)
        }),
        ("holds something besides letters, digits", |path, token| {
            put(path, format!("{token} # camera"), 0o600)
        }),
        ("is no regular file", |path, _| fs::create_dir(path).unwrap()),
        ("is no regular file", |path, _| {
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap()
        }),
        ("is no regular file", |path, _| symlink("/dev/zero", path).unwrap()),
        ("is open to others", |path, token| {
            // A link is judged by what it leads to.
            put(&path.with_extension("target"), token, 0o644);
            symlink(path.with_extension("target"), path).unwrap();
        }),
        ("does not exist", |path, _| symlink("/nonexistent", path).unwrap()),
        ("does not exist", |_, _| {}),
    ];
    if user::is_root() {
        cases.push(("belongs to uid 61001", |path, token| {
            put(path, token, 0o600);
            std::os::unix::fs::chown(path, Some(61001), None).unwrap();
        }));
    }
    for (said, make) in cases {
        fs::remove_file(&path).unwrap();
        make(&path, second);
        world.gateway.process().signal(Signal::HUP).unwrap();
        world.gateway.wait_for_words("loopback.problem.message", said);
        let refused = get(address, "/v1/credentials", second);
        assert_eq!(refused.status, 401, "{said}");
        // Programs learn the cause, and so does everybody who looks at the gateway, with the next step.
        contains_all(&String::from_utf8_lossy(&refused.body), &[said, "gatepost status"]);
        let status = world.gateway.status();
        assert_eq!(
            (&status["state"], &status["exit_code"]),
            (&"attention".into(), &78.into()),
            "{status:#}"
        );
        contains_all(
            &status["problems"].to_string(),
            &["loopback-problem", said, "systemctl reload gatepost"],
        );
        let checked = check_config(&world.gateway);
        let reason = String::from_utf8_lossy(&checked.stderr);
        assert_eq!(checked.status.code(), Some(78), "{said}: {reason}");
        contains_all(&reason, &["token-file: ", said, "; next: "]);
        // The next case is another change.
        fs::remove_dir_all(&path)
            .or_else(|_| fs::remove_file(&path))
            .unwrap_or_default();
        put(&path, second, 0o600);
        world.gateway.process().signal(Signal::HUP).unwrap();
        wait::until(SOON, "the token that is good again", || {
            world.gateway.status()["loopback"]["problem"].is_null()
        })
        .unwrap();
    }
    // A link to a good one is one.
    let _ = fs::remove_file(&path);
    put(&path.with_extension("target"), second, 0o600);
    symlink(path.with_extension("target"), &path).unwrap();
    world.gateway.process().signal(Signal::HUP).unwrap();
    wait::until(SOON, "the token behind a link", || status(second) == 200).unwrap();
    let log = world.gateway.log();
    assert!(!log.contains(first) && !log.contains(second), "promise 10");
}

#[test]
fn without_privileges_the_reader_is_let_in_by_an_access_control_list() {
    if !user::is_root() {
        eprintln!("NOT TESTED: a daemon without privileges, because only root may start one as another user");
        return;
    }
    let mut world = World::new();
    world.gateway.config.push_str(OTHER_RULE);
    switch_on(&mut world.gateway);
    let folder = world.gateway.folder.path().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["run", "state"] {
        fs::create_dir_all(folder.join(name)).unwrap();
        std::os::unix::fs::chown(folder.join(name), Some(61005), Some(61005)).unwrap();
    }
    // Where the daemon was built, others may not look.
    let copy = folder.join("gatepostd");
    let built = world.gateway.command();
    executable::copy(Path::new(built.get_program()), &copy).unwrap();
    let mut daemon = Command::new(copy);
    daemon.args(built.get_args()).uid(61005).gid(61005);
    for (name, value) in built.get_envs() {
        match value {
            Some(value) => daemon.env(name, value),
            None => daemon.env_remove(name),
        };
    }
    // It cannot open root's token, which does not matter here.
    let _daemon = rig::process::Process::spawn(&mut daemon, "gatepost").unwrap();
    world.gateway.wait_for_text("loopback.phase", "listening");
    let reads = |uid: u32, gid: u32, name: &str| {
        let path = file(&world.gateway, name);
        user::act_as(uid, gid, || fs::read(path).is_ok()).unwrap()
    };
    for (uid, gid, name, allowed) in [
        (61001, 61009, "uid-61001", true),
        (61002, 61009, "uid-61001", false),
        (61009, 61002, "gid-61002", true),
        (61009, 61001, "gid-61002", false),
        (61001, 61002, "unit-camera.service", false),
        (61005, 61005, "unit-camera.service", true),
    ] {
        assert_eq!(reads(uid, gid, name), allowed, "uid {uid} gid {gid}: {name}");
    }
    let owner = fs::metadata(file(&world.gateway, "uid-61001")).unwrap().uid();
    assert_eq!(owner, 61005, "it has no privilege to give it away");
}

#[test]
fn the_command_names_uri_and_token_file() {
    let (world, address) = online();
    let (code, lines, reason) = run(&mut client(&world.gateway, &["env", "telemetry"]));
    assert_eq!((code, reason.as_str()), (0, ""));
    let token_file = file(&world.gateway, &own());
    let expected = format!(
        "export {URI}='http://{address}/v1/credentials/telemetry'\nexport {TOKEN_FILE}='{}'\n",
        token_file.display()
    );
    assert_eq!(lines, expected);
    let (_, lines, _) = run(&mut client(&world.gateway, &["env"]));
    assert!(lines.contains("/v1/credentials'\n"), "{lines}");
    // As its help says it is used.
    let shell = format!(
        "eval \"$({} env)\" && curl -s -o /dev/null -w '%{{http_code}}' -H \"Authorization: $(cat ${TOKEN_FILE})\" \"${URI}\"",
        world.gateway.client().display()
    );
    let mut shell_command = command::command("sh");
    shell_command
        .args(["-c", &shell])
        .env("GATEPOST_SOCKET", world.gateway.socket());
    assert_eq!(command::run(&mut shell_command, "curl").unwrap(), "200");

    let (code, _, reason) = run(&mut client(&world.gateway, &["env", "nope"]));
    assert_eq!(code, 66, "{reason}");
    let (code, _, reason) = run(&mut client(&world.gateway, &["env", "video"]));
    let root = rustix::process::getuid().is_root();
    assert_eq!(code, if root { 0 } else { 77 }, "{reason}");
}

#[test]
fn off_unless_configured_and_an_address_that_is_taken_is_waited_for() {
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
        .wait_for_words("loopback.problem.message", &format!("cannot have {address}"));
    world.gateway.wait_for_text("session.phase", "connected");
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    assert_eq!(world.gateway.credentials().status, 200, "promise 6: the rest goes on");
    assert_eq!(world.gateway.status()["state"], "attention");
    drop(taken);
    world.gateway.wait_for_text("loopback.phase", "listening");
    world.gateway.wait_online();
}

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
    // AWS takes nothing any more, so whoever wants its acknowledgement waits.
    world
        .cloud
        .switches()
        .set(|switches| switches.refuse_connect = Some(0x88));
    world.cloud.disconnect(crate::support::THING);
    world.gateway.wait_for("session.phase", |phase| phase != "connected");
    let publish = format!(
        "POST /topics/a?wait=ack&timeout=300 HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nContent-Length: 1\r\n\r\nx"
    );
    let mut waiting = Vec::new();
    let refused = loop {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(publish.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut head = [0; 12];
        match stream.read_exact(&mut head) {
            Ok(()) => break String::from_utf8_lossy(&head).into_owned(),
            Err(_) => waiting.push(stream),
        }
        assert!(waiting.len() < 256, "there is no limit");
    };
    assert_eq!(refused, "HTTP/1.1 429");
    let credentials = get(address, "/v1/credentials/telemetry", &token);
    assert_eq!(credentials.status, 200, "{:?}", credentials.json());
}

#[test]
fn promise_6_callers_without_a_token_lock_no_holder_out() {
    let (world, address) = online();
    let own = own_token(&world.gateway);
    // Those who hold what they can: heads that never end, and connections on which nothing comes.
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
        // Three hundred who ask without a token, all the while.
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

/// A holder's connection that is quiet is not given to somebody who has shown nothing.
#[test]
fn promise_6_a_holders_quiet_connection_stays() {
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
    // One that came later has its answer: all of these have been let in.
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
