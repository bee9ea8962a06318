//! `gatepost log-level`: more is logged while somebody looks for a fault, and the level is reset automatically.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rig::{unix_http, user};

use crate::command::{client, contains_all, run};
use crate::support::World;

#[test]
fn the_level_changes_while_the_daemon_runs_and_comes_back() {
    let mut world = World::new();
    let place = world.gateway.env.iter_mut().find(|(name, _)| name == "GATEPOST_LOG");
    place.unwrap().1 = "warn".to_owned();
    world.gateway.start();
    world.gateway.wait_for_csr();
    let gateway = &world.gateway;
    let set = |words: &[&str]| run(&mut client(gateway, &[&["log-level"], words].concat()));
    assert_eq!(set(&[]), (0, "log level: warn\n".to_owned(), String::new()));
    assert!(!gateway.log().contains("info"), "{}", gateway.log());

    let (code, said, _) = set(&["debug", "--for", "1h"]);
    assert_eq!(code, 0);
    contains_all(&said, &["log level: debug until 20", "then warn"]);
    assert!(
        gateway.log().contains("log level: debug for 3600 s, by uid"),
        "{}",
        gateway.log()
    );
    let status = gateway.status();
    assert_eq!(
        (&status["log_level"]["level"], &status["log_level"]["usual"]),
        (&"debug".into(), &"warn".into())
    );
    let (code, screen, _) = run(&mut client(gateway, &["status"]));
    assert_ne!(code, 64);
    contains_all(&screen, &["log level debug"]);

    // The shorter duration applies, though the longer one was requested first.
    let (code, said, _) = set(&["info", "--for", "1s"]);
    assert_eq!(code, 0, "{said}");
    gateway.wait_for_text("log_level.level", "warn");
    assert_eq!(gateway.status()["log_level"]["until"], serde_json::Value::Null);

    for (words, code, says) in [
        (&["loud"][..], 64, "the log level is one of"),
        (&["off"], 64, "the log level is one of"),
        (&["debug", "--for", "soon"], 64, "not a span of time"),
        (&["debug", "--for", "0"], 64, "between"),
        (&["debug", "--for", "32d"], 64, "between"),
        (&["--for", "1h"], 64, "needs a level"),
    ] {
        let (found, said, noted) = set(words);
        assert_eq!((found, said.as_str()), (code, ""), "{words:?}");
        contains_all(&noted, &[says]);
    }
    assert_eq!(gateway.status()["log_level"]["level"], "warn");
    if user::is_root() {
        fs::set_permissions(gateway.folder.path(), Permissions::from_mode(0o755)).unwrap();
        let request = b"POST /v1/log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{\"level\":\"error\"}";
        let stranger = || unix_http::request_raw(&gateway.socket(), request).unwrap();
        assert_eq!(user::act_as(61009, 61009, stranger).unwrap().status, 403);
        assert_eq!(gateway.status()["log_level"]["level"], "warn");
    }

    // A restart resets the level.
    set(&["trace"]);
    world.gateway.wait_for_text("log_level.level", "trace");
    world.gateway.stop();
    world.gateway.start();
    world.gateway.wait_for_text("log_level.level", "warn");
}
