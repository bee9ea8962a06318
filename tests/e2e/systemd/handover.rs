//! Credentials that outlive the daemon: held by the service manager, never on a disk.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rig::wait;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

use super::managed;
use crate::clock::UnpluggedToken;
use crate::operator::retry::refresh;
use crate::registry::bring_online_registered;
use crate::relay::Relay;
use crate::support::{Gateway, SOON, World};

/// A program that requests credentials continuously.
struct Program {
    /// Locked during a request, because the test cannot repair a response that is cut off by a kill.
    asking: Arc<Mutex<()>>,
    begun: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Program {
    fn start(socket: &Path) -> Self {
        let socket = socket.to_owned();
        let (asking, over) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
        let (begun, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let thread = std::thread::spawn({
            let (asking, begun, answered, over) = (asking.clone(), begun.clone(), answered.clone(), over.clone());
            move || {
                let mut failures = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    let turn = asking.lock().unwrap();
                    begun.fetch_add(1, Ordering::SeqCst);
                    match rig::unix_http::get(&socket, "/v1/credentials") {
                        Ok(answer) if answer.status == 200 => {}
                        Ok(answer) => failures.push(format!("{answer:?}")),
                        Err(error) => failures.push(format!("{error:#}")),
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                    drop(turn);
                    // A mutex is not fair, so this lets a waiting thread lock it.
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                failures
            }
        });
        Self {
            asking,
            begun,
            answered,
            over,
            thread,
        }
    }

    fn is_waiting(&self) -> bool {
        self.begun.load(Ordering::SeqCst) > self.answered.load(Ordering::SeqCst)
    }

    fn wait_for_answers(&self, more: usize) {
        let wanted = self.answered.load(Ordering::SeqCst) + more;
        wait::until(SOON, "answers", || self.answered.load(Ordering::SeqCst) >= wanted).unwrap();
    }

    fn end(self) -> Vec<String> {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// Waits until a descriptor is stored, and no older one besides it.
fn wait_until_kept(gateway: &Gateway) {
    wait::until(SOON, "kept credentials", || gateway.manager().kept().len() == 1).unwrap();
}

#[test]
fn promise_3_no_request_fails_through_kill_9_restart_and_outage() {
    let mut world = managed();
    let socket = world.gateway.socket();
    world.gateway.manager.as_mut().unwrap().listen(&socket).unwrap();
    let relays = [world.cloud.mqtt_endpoint(), world.cloud.credentials_endpoint()].map(|endpoint| {
        let relay = Relay::to(&endpoint);
        world.gateway.configure(&endpoint, &relay.endpoint());
        relay
    });
    bring_online_registered(&mut world);
    wait_until_kept(&world.gateway);
    let before = world.gateway.credentials().body;

    // Neither AWS nor the token is available to the next runs.
    relays.iter().for_each(|relay| relay.set_silent(true));
    let token = UnpluggedToken::new(&*world.token);
    let program = Program::start(&socket);
    program.wait_for_answers(3);
    for _ in 0..3 {
        let turn = program.asking.lock().unwrap();
        world.gateway.kill();
        drop(turn);
        wait::until(SOON, "a program that waits", || program.is_waiting()).unwrap();
        world.gateway.start();
        program.wait_for_answers(3);
        assert_eq!(world.gateway.credentials().body, before);
        let alias = &world.gateway.status()["role_aliases"][0];
        assert_eq!(
            (&alias["phase"], &alias["problem"]),
            (&"valid".into(), &serde_json::Value::Null)
        );
        assert!(
            alias["expiration"].is_string() && alias["refreshed"].is_string(),
            "{alias:#}"
        );
        wait_until_kept(&world.gateway);
    }
    // As in systemctl restart and an upgrade.
    let turn = program.asking.lock().unwrap();
    world.gateway.stop();
    drop(turn);
    world.gateway.start();
    program.wait_for_answers(3);
    assert_eq!(program.end(), Vec::<String>::new());

    // All credentials are refreshed as usual once that is possible.
    token.plug_in();
    relays.iter().for_each(|relay| relay.set_silent(false));
    world
        .gateway
        .wait_longer_for(3 * SOON, "state", |state| state == "ready");
    wait::until(2 * SOON, "fresh credentials", || {
        world.gateway.credentials().body != before
    })
    .unwrap();
}

#[test]
fn systemd_keeps_one_sealed_file_the_newest() {
    let mut world = managed();
    bring_online_registered(&mut world);
    let stored = || world.gateway.manager().count("FDSTORE=1");
    for sets in 2..=3 {
        refresh(&world.gateway, "telemetry");
        wait::until(SOON, "the file of a new set", || stored() >= sets).unwrap();
    }
    wait_until_kept(&world.gateway);
    assert_eq!(stored(), world.gateway.manager().count("FDPOLL=0"));
    let mut file = world.gateway.manager().files().unwrap().remove(0);
    let everything = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    assert!(fcntl_get_seals(&file).unwrap().contains(everything));
    // The file position is shared with the daemon that wrote it.
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    let answer = world.gateway.credentials().json().unwrap();
    assert!(text.contains(answer["SecretAccessKey"].as_str().unwrap()));
}

/// Starts a daemon to which AWS has given credentials, and ends it.
fn with_kept_credentials() -> World {
    let mut world = managed();
    bring_online_registered(&mut world);
    wait_until_kept(&world.gateway);
    world.gateway.stop();
    world
}

#[test]
fn credentials_for_another_purpose_are_not_served() {
    type Change = fn(&mut World);
    let cases: [(&str, Change); 3] = [
        ("and aws.credentials-endpoint is elsewhere.invalid", |world| {
            let endpoint = world.cloud.credentials_endpoint();
            world.gateway.configure(&endpoint, "elsewhere.invalid");
        }),
        ("role alias telemetry: it is not configured any more", |world| {
            world.gateway.configure(r#"name = "telemetry""#, r#"name = "video""#);
        }),
        ("its credentials belong to thing gw-1, and this is gw-2", |world| {
            let csr = world.gateway.state("device.csr");
            let other = world.ca.sign_as(&csr, "/C=IN/O=Example/CN=gw-2").unwrap();
            world.gateway.install(&other);
        }),
    ];
    for (said, change) in cases {
        let mut world = with_kept_credentials();
        change(&mut world);
        let _token = UnpluggedToken::new(&*world.token);
        world.gateway.start();
        world.gateway.wait_for_log(said);
        assert_eq!(world.gateway.credentials().status, 503, "{said}");
    }
}

fn in_memory(text: &str, seals: SealFlags) -> OwnedFd {
    let file = memfd_create("test", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap();
    let mut file = File::from(file);
    file.write_all(text.as_bytes()).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file.into()
}

#[test]
fn a_foreign_or_damaged_descriptor_is_closed_without_other_effects() {
    let sealed = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    let mut world = managed();
    bring_online_registered(&mut world);
    wait_until_kept(&world.gateway);
    world.gateway.stop();
    let _token = UnpluggedToken::new(&*world.token);
    let (pipe, _writer) = rustix::pipe::pipe().unwrap();
    let bad = [
        (pipe, "it is not a file in memory"),
        (File::open("/dev/null").unwrap().into(), "it is not a file in memory"),
        (in_memory("{}", SealFlags::empty()), "it is not sealed"),
        (in_memory("", sealed), "it is damaged (line 1"),
        (in_memory("{\"version\":1}", sealed), "it is damaged (line 1"),
        (
            in_memory("{\"version\":2}", sealed),
            "it is of version 2, and this gatepostd reads version 1",
        ),
    ];
    for (descriptor, said) in bad {
        world.gateway.manager().plant("credentials-2", descriptor);
        world.gateway.start();
        world.gateway.wait_for_log(said);
        assert_eq!(
            world.gateway.credentials().status,
            200,
            "the good one counts all the same"
        );
        wait_until_kept(&world.gateway);
        world.gateway.stop();
    }
}
