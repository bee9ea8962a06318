//! The daemon itself, in a thread of the fuzzer's process, for the targets that are servers.

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use gatepost::clock::SharedClock;
use gatepost::messages::{self, Bounds};
use gatepost::status::{MessagesDetails, MessagesPhase, StatusHub};
use tokio::runtime::Builder;

use crate::FixedClock;

/// The PIN, which is in a file that the configuration names.
pub const SECRET: &str = "between-fuzzer-and-token";

/// The thing name.
const THING: &str = "gw-1";

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    /// The socket that the target asked for.
    pub socket: PathBuf,
    /// Ends when a signal ends the daemon.
    pub thread: JoinHandle<()>,
}

impl Daemon {
    /// Starts it, and waits until the socket with this name accepts connections.
    ///
    /// # Panics
    /// If it does not listen.
    pub fn start(socket: &str) -> Self {
        let folder = prepare_folder();
        let configuration = folder.join("gatepost.toml");
        let thread = thread::spawn(move || {
            if let Err(fatal) = gatepost::daemon::run(&configuration) {
                eprintln!("{fatal}");
                process::abort();
            }
        });
        let socket = folder.join("run").join(socket);
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the daemon does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        Self { socket, thread }
    }
}

/// Creates the daemon's folders and files.
fn prepare_folder() -> PathBuf {
    const FOLDER: &str = "GATEPOST_FUZZ_FOLDER";
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        // The daemon reads its folders from the environment, which must not be changed in a running process.
        let folder = crate::folder().keep();
        let mut arguments = env::args_os();
        let mut this = Command::new(arguments.next().expect("a name"));
        this.args(arguments).env(FOLDER, &folder);
        this.env("STATE_DIRECTORY", folder.join("state"))
            .env("RUNTIME_DIRECTORY", folder.join("run"));
        this.env("SOFTHSM2_CONF", folder.join("softhsm2.conf"));
        panic!("{}", this.exec());
    };
    for name in ["state", "run", "token"] {
        let _ = fs::create_dir(folder.join(name));
    }
    let configuration = folder.join("gatepost.toml");
    let tokens = format!("directories.tokendir = {}/token\n", folder.display());
    fs::write(folder.join("softhsm2.conf"), tokens).expect("a file");
    fs::write(folder.join("pin"), SECRET).expect("a file");
    fs::write(&configuration, configuration_text(&folder)).expect("a file");
    store_thing(&folder.join("state"));
    folder
}

/// Stores the thing name as an earlier run with a certificate has: without one, access rules cannot be evaluated.
fn store_thing(state: &Path) {
    let clock: SharedClock = Arc::new(FixedClock::default());
    let reporter =
        StatusHub::new(clock.clone()).reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
    let store = || {
        let handles = messages::spawn(state, Bounds::default(), clock, reporter).expect("a database");
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            handles.outbox.store_thing(THING.to_owned()).await;
            let stored = handles.outbox.thing().await.expect("a database");
            assert_eq!(stored.as_deref(), Some(THING));
        });
        handles.ended
    };
    // It closes when everything is written.
    assert!(store().recv().is_err());
}

/// Finds SoftHSM's module in the multiarch folder.
fn softhsm() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("/usr/lib").flatten();
    let mut modules = folders.map(|folder| folder.path().join("softhsm/libsofthsm2.so"));
    modules
        .find(|module| module.exists())
        .expect("SoftHSM: apt-get install softhsm2")
}

/// Returns the configuration of a gateway before its first certificate. Its token never appears, so nothing leaves this machine.
fn configuration_text(folder: &Path) -> String {
    let folder = folder.display();
    let module = softhsm().display().to_string();
    let uid = rustix::process::getuid().as_raw();
    format!(
        r#"
[aws]
mqtt-endpoint = "mqtt.example.invalid"
credentials-endpoint = "credentials.example.invalid"

[token]
module = "{module}"
key = "pkcs11:token=gateway;object=device"
pin-file = "{folder}/pin"

[identity]
certificate = "{folder}/state/device.pem"
subject = {{ common-name = "gw-1" }}
thing-name = "gw-1"

[[role-alias]]
name = "telemetry"

[[access]]
uid = {uid}
publish = ["gw-1/#"]
subscribe = ["gw-1/#"]

[local-mqtt]
socket = true

[mqtt]
outbox-max-messages = 100
outbox-max-bytes = 1048576
outbox-when-full = "drop-oldest"
"#
    )
}
