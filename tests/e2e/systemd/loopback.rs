//! The loopback listener's port and tokens outlive the daemon: the service manager holds them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rig::process::Signal;
use rig::{user, wait};

use super::managed;
use crate::command::{client, run};
use crate::loopback::{file, get, own, own_token, switch_on};
use crate::support::{Gateway, SOON, World};

/// The user ID of a user without a rule.
const SQUATTER: u32 = 61009;

fn online() -> (World, SocketAddr) {
    let mut world = managed();
    let address = switch_on(&mut world.gateway);
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    world.gateway.wait_for_text("loopback.phase", "listening");
    wait_until_kept(&world.gateway, true);
    (world, address)
}

/// Waits until the tokens are stored, and the listener if it must be.
fn wait_until_kept(gateway: &Gateway, listener: bool) {
    let kept = || {
        let kept = gateway.manager().kept();
        let tokens = kept.iter().filter(|name| name.starts_with("loopback-tokens")).count();
        tokens == 1 && kept.iter().filter(|name| *name == "loopback").count() == usize::from(listener)
    };
    wait::until(SOON, "the listener and its tokens in the store", kept).unwrap();
}

/// Makes twelve requests with this token.
fn calls(gateway: &Gateway, address: SocketAddr, token: &str) -> Vec<u16> {
    gateway.wait_for_text("role_aliases.0.phase", "valid");
    (0..12).map(|_| get(address, "/v1/credentials", token).status).collect()
}

/// Binds the port as a user without a rule.
fn squat(address: SocketAddr) -> std::io::Result<TcpListener> {
    match user::is_root() {
        true => user::act_as(SQUATTER, SQUATTER, || TcpListener::bind(address)).unwrap(),
        false => TcpListener::bind(address),
    }
}

/// Sets a flag when it is dropped.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The service manager keeps the port, so a call waits for the next run, and a run that ends answers what it has accepted.
#[test]
fn promise_7_no_call_is_lost_while_the_daemon_is_restarted_again_and_again() {
    const RESTARTS: usize = 10;
    let (mut world, address) = online();
    let token = own_token(&world.gateway);
    let is_over = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // A program that panics ends the others, too.
                let end = SetOnDrop(&is_over);
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(get(address, "/v1/credentials", &token).status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                drop(end);
            });
        }
        let _end = SetOnDrop(&is_over);
        for _ in 0..RESTARTS {
            world.gateway.stop();
            let before = answered.load(Ordering::Relaxed);
            world.gateway.start();
            world.gateway.wait_for_text("loopback.phase", "listening");
            let is_answered = || is_over.load(Ordering::Relaxed) || answered.load(Ordering::Relaxed) > before + 8;
            wait::until(SOON, "calls of all programs", is_answered).unwrap();
            wait_until_kept(&world.gateway, true);
        }
    });
    assert!(answered.load(Ordering::Relaxed) > 8 * RESTARTS);
}

#[test]
fn promise_7_the_port_is_never_free_and_tokens_survive_a_restart() {
    let (mut world, address) = online();
    let token = own_token(&world.gateway);
    let inode = || std::fs::metadata(file(&world.gateway, &own())).unwrap().ino();
    let before = inode();
    for kills in [true, false, true] {
        match kills {
            true => world.gateway.kill(),
            false => world.gateway.stop(),
        }
        let error = squat(address).expect_err("another user has the port while gatepostd is down");
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
        // Callers that connect meanwhile are answered by the next run.
        let early = TcpStream::connect(address).unwrap();
        world.gateway.start();
        world.gateway.wait_for_text("loopback.phase", "listening");
        assert_eq!(calls(&world.gateway, address, &token), [200; 12]);
        drop(early);
        wait_until_kept(&world.gateway, true);
    }
    assert_eq!(
        std::fs::metadata(file(&world.gateway, &own())).unwrap().ino(),
        before,
        "it was not written again"
    );

    // A lost file is created again with the same token. If the administrator removes it before a reload, there is a new token.
    world.gateway.stop();
    std::fs::remove_dir_all(file(&world.gateway, "")).unwrap();
    world.gateway.start();
    world.gateway.wait_for_text("loopback.phase", "listening");
    assert_eq!(own_token(&world.gateway), token);
    std::fs::remove_file(file(&world.gateway, &own())).unwrap();
    world.gateway.process().signal(Signal::HUP).unwrap();
    wait::until(SOON, "a new token", || file(&world.gateway, &own()).exists()).unwrap();
    assert_ne!(own_token(&world.gateway), token);
    wait::until(SOON, "the end of the old token", || {
        get(address, "/v1/credentials", &token).status == 401
    })
    .unwrap();
}

#[test]
fn a_removed_rule_invalidates_its_token() {
    let (mut world, address) = online();
    let token = own_token(&world.gateway);
    let rule = format!("uid = {}\n", rustix::process::getuid().as_raw());
    world.gateway.configure(&rule, "uid = 61001\n");
    world.gateway.write_config();
    world.gateway.process().signal(Signal::HUP).unwrap();
    wait::until(SOON, "the end of the token", || {
        get(address, "/v1/credentials", &token).status == 401
    })
    .unwrap();
    world.gateway.stop();
    world.gateway.configure("uid = 61001\n", &rule);
    world.gateway.start();
    world.gateway.wait_for_text("loopback.phase", "listening");
    assert_eq!(
        get(address, "/v1/credentials", &token).status,
        401,
        "it does not come back with the rule"
    );
}

#[test]
fn promise_7_tokens_are_replaced_after_another_process_had_the_port() {
    let (mut world, address) = online();
    let token = own_token(&world.gateway);
    world.gateway.stop();
    // As in systemd after `systemctl stop`. A descriptor may still be on its way to the manager.
    let squatter = wait::until_some(SOON, "the port to be free", || {
        world.gateway.manager().forget();
        squat(address).ok()
    })
    .unwrap();
    let victim = TcpStream::connect(address).unwrap();
    let accept = || squatter.accept().unwrap().0;
    let held = match user::is_root() {
        true => user::act_as(SQUATTER, SQUATTER, accept).unwrap(),
        false => accept(),
    };
    world.gateway.start();
    world
        .gateway
        .wait_for_words("loopback.problem.message", &format!("cannot use {address}"));
    assert!(!file(&world.gateway, "").exists(), "nothing is laid out");
    if user::is_root() {
        world
            .gateway
            .wait_for_words("loopback.problem.message", "uid 61009 listens there");
    }
    let (code, _, said) = run(&mut client(&world.gateway, &["env"]));
    assert_ne!(code, 0, "{said}");
    // A reload does not write the file either.
    let seen = world.gateway.process().line_count();
    world.gateway.process().signal(Signal::HUP).unwrap();
    let process = world.gateway.process();
    process
        .wait_for_line_after(seen, SOON, |line| line.contains("configuration: read again"))
        .unwrap();
    assert!(!file(&world.gateway, "").exists());

    // The squatter releases the port, but keeps a connection on which a program would send the next token.
    drop(squatter);
    if user::is_root() {
        world.gateway.wait_for_words(
            "loopback.problem.message",
            "uid 61009 still has connections at that port",
        );
        assert!(!file(&world.gateway, "").exists());
    }
    drop(held);
    drop(victim);
    world.gateway.wait_for_text("loopback.phase", "listening");
    let fresh = own_token(&world.gateway);
    assert_ne!(fresh, token);
    world.gateway.wait_for_text("role_aliases.0.phase", "valid");
    assert_eq!(
        get(address, "/v1/credentials", &token).status,
        401,
        "what the squatter was shown opens nothing"
    );
    assert_eq!(get(address, "/v1/credentials", &fresh).status, 200);
}

#[test]
fn a_socket_unit_may_hold_the_port_from_the_boot_on() {
    let mut world = managed();
    let address = switch_on(&mut world.gateway);
    world.gateway.manager.as_mut().unwrap().listen_at(address).unwrap();
    assert!(squat(address).is_err());
    world.gateway.start();
    world.certify();
    world.gateway.wait_for_text("loopback.phase", "listening");
    wait_until_kept(&world.gateway, false);
    let token = own_token(&world.gateway);
    world.gateway.kill();
    world.gateway.start();
    world.gateway.wait_for_text("loopback.phase", "listening");
    assert_eq!(calls(&world.gateway, address, &token), [200; 12]);
    world.gateway.stop();

    // Another address is configured: the socket no longer belongs to gatepost, and the tokens were for it.
    let other = SocketAddr::from(([127, 0, 0, 1], rig::port::free_pair().unwrap()));
    world.gateway.configure(&address.to_string(), &other.to_string());
    world.gateway.start();
    world.gateway.wait_for_text("loopback.phase", "listening");
    assert!(
        world.gateway.log().contains("nor one at loopback.listen"),
        "{}",
        world.gateway.log()
    );
    assert_ne!(own_token(&world.gateway), token);
}
