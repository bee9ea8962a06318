//! A gateway that can reach the network only through an HTTP proxy: Debian's tinyproxy and squid, in a separate network.
//!
//! The cloud and the EST server listen on the loopback address of the proxy's host, and the gateway does not know the cloud's name.

mod black_hole;
mod refusals;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rig::network::{CLOUD_NAME, Demand, Network, Program, Proxy};
use rig::token::SoftHsm;
use rig::user;
use serde_json::Value;

use crate::check::check;
use crate::command::{contains_all, run};
use crate::enrolment::{SECRET, enrol_at, start_est_server};
use crate::support::{PIN, World, options};

const USER: &str = "gw-1";
const PASSWORD: &str = "hunter2-of-the-proxy";

/// Runs a test at the host of the cloud and the proxy, in a network in which the gateway has no other way out.
fn behind_a_proxy(test: impl FnOnce(&Network) + Send) {
    if !user::is_root() {
        return eprintln!("NOT TESTED: a network of its own, because only root may have one");
    }
    let network = Network::new().unwrap();
    network.set_names("").unwrap();
    network.in_cloud(|| test(&network)).unwrap();
}

/// Creates a gateway behind the network's cable.
fn world(network: &Network) -> World {
    let mut options = options();
    options.host = CLOUD_NAME.to_owned();
    let mut world = World::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), options);
    world.gateway.through = network.at_gateway();
    world
}

/// Configures the proxy, with the user whose password is in the returned file.
fn configure(world: &mut World, proxy: &Proxy, has_user: bool) -> PathBuf {
    let path = world.gateway.folder.path().join("proxy-password");
    fs::write(&path, PASSWORD).unwrap();
    world.gateway.config += &format!("[network]\nproxy = \"{}\"\n", proxy.url());
    if has_user {
        world.gateway.config += &format!("proxy-user = \"{USER}\"\nproxy-secret-file = \"{}\"\n", path.display());
    }
    path
}

/// Runs `gatepost check` at the gateway's host; returns its exit code and its document.
fn check_at_gateway(world: &World) -> (i32, Value) {
    let direct = check(&world.gateway, &world.cloud, &["--json"]);
    let mut words = world.gateway.through.iter();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(direct.get_program()).args(direct.get_args());
    for (name, value) in direct.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let (code, out, reason) = run(&mut command);
    (
        code,
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{reason}")),
    )
}

fn assert_checks_are_good(world: &World, words: &[&str]) {
    let (code, document) = check_at_gateway(world);
    assert_eq!(code, 0, "{document:#}");
    contains_all(&document.to_string(), words);
}

#[test]
fn promise_11_an_empty_gateway_comes_online_through_each_proxy() {
    behind_a_proxy(|network| {
        for (program, demand) in [
            (Program::Tinyproxy, Demand::Basic(USER, PASSWORD)),
            (Program::Squid, Demand::Basic(USER, PASSWORD)),
            (Program::Squid, Demand::Nothing),
        ] {
            eprintln!("{program:?}, {demand:?}");
            let proxy = Proxy::start(network, program, demand).unwrap();
            comes_online(network, &proxy, demand != Demand::Nothing);
        }
    });
}

fn comes_online(network: &Network, proxy: &Proxy, has_user: bool) {
    let server = start_est_server(true, est_server::Options::default());
    let mut world = world(network);
    configure(&mut world, proxy, has_user);
    enrol_at(&mut world, &server);
    let gateway = &mut world.gateway;
    gateway.start();
    gateway.wait_online();
    // The request to STS goes through the proxy as well.
    assert_checks_are_good(&world, &["sts:GetCallerIdentity"]);
    world.gateway.stop();
    let log = world.gateway.log();
    for secret in [PASSWORD, SECRET] {
        assert!(!log.contains(secret), "{log}");
    }
    // The daemon is stopped, which is the only fault.
    let (_, document) = check_at_gateway(&world);
    let checks = document["checks"].as_array().unwrap();
    let failed: Vec<&Value> = checks
        .iter()
        .filter(|line| line["outcome"] == "failed" && line["name"] != "daemon")
        .collect();
    assert!(failed.is_empty(), "{document:#}");
    contains_all(
        &document.to_string(),
        &[
            "the proxy looks the name up",
            "the proxy connects to",
            "AWS accepts gw-1",
            "credentials until",
            "sts:GetCallerIdentity",
        ],
    );
    assert!(!document.to_string().contains(PASSWORD));
}
