//! A configuration file that is wrong or not loaded is reported.

use std::fs;

use crate::command::{client, run};
use crate::registry::bring_online_registered;
use crate::support::{Gateway, World};

use super::reload;

#[test]
fn a_wrong_file_is_seen_whether_anybody_reloads_or_not() {
    let mut world = World::new();
    bring_online_registered(&mut world);
    let good = world.gateway.config.clone();
    let drop_in = world.gateway.folder.path().join("conf.d/20-mine.toml");
    fs::create_dir(drop_in.parent().unwrap()).unwrap();
    fs::write(&drop_in, "[mqtt]\nlog-level = 1\n").unwrap();
    world
        .gateway
        .wait_for_words("configuration.problem.message", "log-level");
    assert_eq!(world.gateway.status()["configuration"]["phase"], "wrong");
    assert_eq!(world.gateway.status()["state"], "attention");
    let metrics = String::from_utf8(world.gateway.get("/metrics").body).unwrap();
    assert!(metrics.contains("gatepost_configuration_loaded 0"), "{metrics}");
    fs::remove_file(&drop_in).unwrap();
    world.gateway.wait_for_text("configuration.phase", "loaded");
    world.gateway.wait_online();

    // A refused caller is told that the files contain a rule or table that was not loaded.
    let message = |gateway: &Gateway, path: &str| {
        let answer = gateway.get(path).json().unwrap();
        answer["message"].as_str().unwrap().to_owned()
    };
    world.gateway.config = good.replace("role-aliases = [\"*\"]", "role-aliases = []");
    reload(&mut world.gateway);
    assert!(!message(&world.gateway, "/v1/credentials").contains("not loaded"));
    world.gateway.config = format!("{good}[loopback]\nlisten = \"127.0.0.1:1\"\n");
    world.gateway.write_config();
    world.gateway.wait_for_text("configuration.phase", "differs");
    for path in ["/v1/credentials", "/v1/loopback"] {
        let said = message(&world.gateway, path);
        assert!(
            said.contains("were changed there and not loaded since: systemctl reload gatepost"),
            "{path}: {said}"
        );
    }

    // A refused reload does not hide it.
    world.gateway.config.clone_from(&good);
    reload(&mut world.gateway);
    world.gateway.config = good.replace("[aws]", "[aws");
    reload(&mut world.gateway);
    world.gateway.wait_for_text("configuration.phase", "wrong");
    assert_eq!(world.gateway.credentials().status, 200);
    let (code, _, said) = run(&mut client(&world.gateway, &["reload"]));
    assert!(code == 78 && said.contains("unclosed table"), "{code}: {said}");
    world.gateway.config = good;
    reload(&mut world.gateway);
    world.gateway.wait_online();
}
