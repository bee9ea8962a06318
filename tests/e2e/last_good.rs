//! A start with a wrong configuration continues with the last good one, reports it, and serves the credentials of the previous run.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cloudlet::switches::Lifetime;
use rig::manager::Manager;
use rig::wait;

use crate::clock::UnpluggedToken;
use crate::registry::bring_online_registered;
use crate::support::{Gateway, SOON, World};

/// Creates a world whose configuration was good and is about to be changed; a service manager holds its credentials.
fn world() -> World {
    let mut world = World::new();
    world.gateway.manager = Some(Manager::new().unwrap());
    bring_online_registered(&mut world);
    wait::until(SOON, "the last good configuration", || {
        world.gateway.state("last-good.json").exists()
    })
    .unwrap();
    wait::until(SOON, "kept credentials", || world.gateway.manager().kept().len() == 1).unwrap();
    world.gateway.stop();
    world
}

type Break = fn(&mut Gateway);

#[test]
fn promise_3_a_wrong_configuration_costs_no_program_its_credentials() {
    // One for each place where a fault is found. The unit tests of src/config have each fault.
    let cases: [(&str, Break); 5] = [
        ("gatepost.toml:2:5: unclosed table", |gateway| {
            gateway.configure("[aws]", "[aws")
        }),
        // The result of a power cut during the write, on some file systems.
        ("gatepost.toml", |gateway| gateway.config = "\0".repeat(400)),
        ("every user may write it", |gateway| {
            let folder = gateway.folder.path().join("conf.d");
            fs::create_dir_all(&folder).unwrap();
            fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
        }),
        // A file that the configuration refers to.
        ("none.pem", |gateway| {
            let line = gateway
                .config
                .lines()
                .find(|line| line.starts_with("root-ca"))
                .unwrap()
                .to_owned();
            gateway.configure(&line, "root-ca = \"/nonexistent/none.pem\"");
        }),
        ("cannot be watched", |gateway| {
            gateway.configure("[identity]", "[identity]\ncertificate = \"/nonexistent/a.pem\"")
        }),
    ];
    let mut world = world();
    let good = world.gateway.config.clone();
    let before_all = fs::read(world.gateway.state("last-good.json")).unwrap();
    for (said, spoil) in cases {
        spoil(&mut world.gateway);
        // New credentials cannot be requested, so programs get those of the previous run.
        let token = UnpluggedToken::new(&*world.token);
        world.gateway.start();
        world.gateway.wait_for_text("configuration.phase", "last-good");
        let status = world.gateway.status();
        let problem = status["configuration"]["problem"]["message"].as_str().unwrap();
        assert!(
            problem.contains(said) && problem.contains("the last good configuration, saved at 20"),
            "{problem}\nexpected {said}"
        );
        assert_eq!(status["state"], "attention", "{said}");
        assert_eq!(world.gateway.credentials().status, 200, "{said}");
        let line = world
            .gateway
            .manager()
            .wait_for(SOON, |line| line.starts_with("STATUS=") && line.contains(said));
        line.unwrap();
        token.plug_in();

        // Once corrected, the file is loaded automatically.
        let _ = fs::remove_dir_all(world.gateway.folder.path().join("conf.d"));
        world.gateway.config = good.clone();
        world.gateway.write_config();
        world.gateway.wait_for_text("configuration.phase", "loaded");
        world.gateway.stop();
        assert_eq!(
            fs::read(world.gateway.state("last-good.json")).unwrap(),
            before_all,
            "{said}"
        );
    }
}

/// The files are valid, but the token cannot be opened with them: systemd restarts the service, which uses the last good configuration.
#[test]
fn a_token_that_cannot_be_opened_by_changed_files_is_opened_by_the_last_good_ones() {
    let mut world = world();
    let good = world.gateway.config.clone();
    let pin_file = world.token.pin_file().display().to_string();
    world.gateway.configure(&pin_file, "/nonexistent/pin");
    let (status, log) = world.gateway.run_to_the_end();
    assert_eq!(status.code(), Some(70), "{log}");
    for _ in 0..2 {
        world.gateway.start();
        world.gateway.wait_for_text("token.phase", "ready");
        assert_eq!(world.gateway.status()["configuration"]["phase"], "last-good");
        let summary = world.gateway.status()["summary"].as_str().unwrap().to_owned();
        assert!(summary.contains("/nonexistent/pin"), "{summary}");
        assert_eq!(world.gateway.credentials().status, 200);
        world.gateway.stop();
    }
    // Other files are tried again.
    world.gateway.config = good;
    world.gateway.start();
    world.gateway.wait_online();
}

#[test]
fn rules_of_the_last_good_configuration_are_reported_and_removed_again() {
    let mut world = world();
    let rule = format!(
        "[[access]]\nuid = {}\nrole-aliases = [\"*\"]\n",
        rustix::process::getuid().as_raw()
    );
    world.gateway.configure(&rule, "[mqtt]\nlog-level = 1\n");
    world.gateway.start();
    world
        .gateway
        .wait_for_log("an access rule that was removed from the files is in use again: access[0] of ");
    world.gateway.wait_for_text("configuration.phase", "last-good");
    assert_eq!(world.gateway.credentials().status, 200);
    world.gateway.configure("log-level = 1", "");
    world.gateway.write_config();
    world.gateway.wait_for_text("configuration.phase", "loaded");
    assert_eq!(world.gateway.credentials().status, 403);
    world.gateway.stop();
    // From then on the stored configuration does not contain the rule either.
    world.gateway.configure("[aws]", "[aws");
    world.gateway.start();
    world.gateway.wait_for_text("configuration.phase", "last-good");
    assert_eq!(world.gateway.credentials().status, 403);
}

#[test]
fn without_a_last_good_one_a_wrong_configuration_ends_the_start() {
    type Spoil = fn(&Path);
    // The unit tests of src/config/last_good have each reason to refuse the file.
    let cases: [(&str, Spoil); 2] = [
        ("", |path| fs::remove_file(path).unwrap()),
        ("last-good.json: it is damaged", |path| fs::write(path, "{").unwrap()),
    ];
    let mut world = world();
    // With credentials it would continue running for them.
    world.gateway.manager().forget();
    let kept = world.gateway.state("last-good.json");
    let good = fs::read(&kept).unwrap();
    world.gateway.configure("[aws]", "[aws");
    for (said, spoil) in cases {
        spoil(&kept);
        let (status, log) = world.gateway.run_to_the_end();
        assert_eq!(status.code(), Some(78), "{said}");
        assert!(log.contains("unclosed table") && log.contains(said), "{log}");
        fs::write(&kept, &good).unwrap();
        fs::set_permissions(&kept, Permissions::from_mode(0o600)).unwrap();
    }
    world.gateway.start();
    world.gateway.wait_for_text("configuration.phase", "last-good");
}

#[test]
fn without_any_good_configuration_credentials_are_held_until_the_files_are_right() {
    let mut world = World::new();
    let socket = world.gateway.socket();
    let mut manager = Manager::new().unwrap();
    manager.listen(&socket).unwrap();
    world.gateway.manager = Some(manager);
    bring_online_registered(&mut world);
    wait::until(SOON, "kept credentials", || world.gateway.manager().kept().len() == 1).unwrap();
    let before = world.gateway.credentials().body;
    world.gateway.stop();
    let _ = fs::remove_file(world.gateway.state("last-good.json"));

    let _token = UnpluggedToken::new(&*world.token);
    let good = world.gateway.config.clone();
    world.gateway.configure("[aws]", "[aws");
    let said = world.gateway.manager().messages().len();
    world.gateway.start();
    let manager = world.gateway.manager();
    manager
        .wait_for_after(said, SOON, |said| said.lines().any(|line| line == "READY=1"))
        .unwrap();
    manager
        .wait_for_after(said, SOON, |said| {
            said.starts_with("STATUS=") && said.contains("unclosed table")
        })
        .unwrap();
    for path in ["/v1/credentials", "/v1/status"] {
        let answer = world.gateway.get(path);
        assert_eq!(answer.status, 503);
        let answer = answer.json().unwrap();
        assert!(
            answer["message"].as_str().unwrap().contains("unclosed table"),
            "{answer}"
        );
    }
    world.gateway.config = good;
    world.gateway.write_config();
    wait::until(SOON, "the credentials of before", || {
        world.gateway.credentials().body == before
    })
    .unwrap();
    world.gateway.wait_for_text("configuration.phase", "loaded");
}

#[test]
fn a_rejected_pin_costs_no_program_its_credentials_before_they_expire() {
    let mut world = world();
    world
        .cloud
        .switches()
        .set(|switches| switches.credentials.lifetime = Lifetime::Seconds(120));
    let own = world.gateway.folder.path().join("pin");
    fs::copy(world.token.pin_file(), &own).unwrap();
    let given = world.token.pin_file().display().to_string();
    world.gateway.configure(&given, &own.display().to_string());
    // A run that leaves credentials that expire soon.
    world.gateway.manager().forget();
    world.gateway.start();
    world.gateway.wait_online();
    wait::until(SOON, "kept credentials", || world.gateway.manager().kept().len() == 1).unwrap();
    world.gateway.stop();

    fs::write(&own, "not the PIN\n").unwrap();
    world.gateway.start();
    world.gateway.wait_for_text("token.phase", "failed");
    world
        .gateway
        .wait_for_log("gatepostd keeps serving the credentials that it has, and exits with 77");
    assert_eq!(world.gateway.credentials().status, 200);
    let status = world.gateway.status();
    assert_eq!(status["state"], "attention");
    assert!(
        status["summary"]
            .as_str()
            .unwrap()
            .contains("the token rejected the PIN"),
        "{status:#}"
    );
    // Once no credentials are left, it ends as it would have without them.
    let status = world.gateway.process().wait(4 * SOON).unwrap();
    assert_eq!(status.code(), Some(77));
    let tries = world.gateway.log().matches("the token rejected the PIN").count();
    assert!(tries > 0, "{}", world.gateway.log());
}
