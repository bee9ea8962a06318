//! The daemon under test, with its folders and its configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use cloudlet::Cloudlet;
use rig::manager::Manager;
use rig::process::{Process, Signal};
use rig::token::Token;
use rig::unix_http::{self, Response};
use rig::wait;
use serde_json::Value;
use tempfile::TempDir;

use super::defaults::{SOON, THING};

/// The time limit for a clean exit. The daemon takes 5 s at most, and a busy machine more; whatever it might wait for by mistake (a
/// server that is silent, a connection that is not made) takes 30 s or longer.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// The daemon, its folders and its configuration. It may be started, killed and started again.
pub struct Gateway {
    pub folder: TempDir,
    pub config: String,
    pub env: Vec<(String, String)>,
    /// A command prefix that the daemon is started through.
    pub through: Vec<String>,
    /// The service manager that starts it, if any.
    pub manager: Option<Manager>,
    process: Option<Process>,
    /// The log of earlier runs of the daemon.
    earlier: String,
}

impl Gateway {
    pub fn new(cloud: &Cloudlet, token: &dyn Token, ca_chain: &Path) -> Self {
        // The mode must not depend on the caller's umask: the daemon refuses a configuration that everybody may write.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let folder = tempfile::Builder::new().prefix("gatepost-test-").tempdir().unwrap();
        let config = format!(
            r#"
[aws]
mqtt-endpoint = "{mqtt}"
credentials-endpoint = "{credentials}"
root-ca = "{root}"
[token]
module = "{module}"
key = "{key}"
pin-file = "{pin}"
[identity]
ca-chain = "{chain}"
subject = {{ common-name = "{THING}", country = "IN", organization = "Example" }}
[[role-alias]]
name = "telemetry"
default = true
[[access]]
uid = {uid}
role-aliases = ["*"]
"#,
            mqtt = cloud.mqtt_endpoint(),
            credentials = cloud.credentials_endpoint(),
            root = cloud.root_ca_path().display(),
            module = token.module().display(),
            key = token.uri("device"),
            pin = token.pin_file().display(),
            chain = ca_chain.display(),
            uid = rustix::process::getuid().as_raw(),
        );
        let state = folder.path().join("state").display().to_string();
        let runtime = folder.path().join("run").display().to_string();
        let mut env = token.env();
        env.extend([
            ("STATE_DIRECTORY".to_owned(), state),
            ("RUNTIME_DIRECTORY".to_owned(), runtime),
        ]);
        env.push(("GATEPOST_LOG".to_owned(), "debug".to_owned()));
        Self {
            folder,
            config,
            env,
            through: Vec::new(),
            manager: None,
            process: None,
            earlier: String::new(),
        }
    }

    /// Replaces a part of the configuration, which must exist.
    pub fn configure(&mut self, old: &str, new: &str) {
        assert!(self.config.contains(old), "{old} is not in the configuration");
        self.config = self.config.replace(old, new);
    }

    /// Writes the main configuration file and returns its path.
    pub fn write_config(&self) -> PathBuf {
        let path = self.folder.path().join("gatepost.toml");
        fs::write(&path, &self.config).unwrap();
        path
    }

    /// Returns a command for the daemon with its environment and its configuration, not started yet.
    pub fn command(&self) -> Command {
        let mut command = self.command_without_configuration();
        command.arg("--config").arg(self.write_config());
        command
    }

    /// Returns a command for the daemon with its environment.
    pub fn command_without_configuration(&self) -> Command {
        let words = self.through.iter().map(String::as_str);
        let mut words = words.chain([env!("CARGO_BIN_EXE_gatepostd")]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the daemon.
    pub fn start(&mut self) {
        let command = self.command();
        let mut command = match &self.manager {
            Some(manager) => manager.started(&command).unwrap(),
            None => command,
        };
        self.process = Some(Process::spawn(&mut command, "gatepost").unwrap());
    }

    /// Starts the daemon and waits for its end.
    pub fn run_to_the_end(&mut self) -> (ExitStatus, String) {
        self.start();
        let status = self.process().wait(SOON).unwrap();
        (status, self.log())
    }

    /// Stops the daemon as systemd does, and expects a clean exit.
    pub fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// Sends `signal` to the daemon, and expects a clean exit in time.
    pub fn end(&mut self, signal: Signal) {
        self.process().signal(signal).unwrap();
        let status = self.process().wait(STOP_LIMIT).unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
        self.forget();
    }

    /// Kills the daemon with SIGKILL.
    pub fn kill(&mut self) {
        self.process().signal(Signal::KILL).unwrap();
        self.process().wait(SOON).unwrap();
        self.forget();
    }

    /// Returns the service manager that starts it.
    pub fn manager(&self) -> &Manager {
        self.manager.as_ref().expect("there is no service manager")
    }

    /// Returns the running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("gatepostd is not running")
    }

    fn forget(&mut self) {
        self.earlier = self.log();
        self.process = None;
    }

    /// Returns everything logged so far, by all runs.
    pub fn log(&self) -> String {
        let current = self.process.as_ref().map(Process::log).unwrap_or_default();
        format!("{}{current}", self.earlier)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("run/gatepost.sock")
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    pub fn get(&self, path: &str) -> Response {
        unix_http::get(&self.socket(), path).unwrap()
    }

    pub fn credentials(&self) -> Response {
        self.get("/v1/credentials")
    }

    /// Returns the status document; `Null` while the daemon does not respond.
    pub fn status(&self) -> Value {
        unix_http::get(&self.socket(), "/v1/status")
            .and_then(|answer| answer.json())
            .unwrap_or_default()
    }

    /// Waits until a field of the status (`session.phase`, `role_aliases.0.problem.message`) satisfies `wanted`.
    pub fn wait_for(&self, field: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_longer_for(SOON, field, wanted)
    }

    pub fn wait_longer_for(&self, patience: Duration, field: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let pointer = format!("/{}", field.replace('.', "/"));
        let look = || self.status().pointer(&pointer).filter(|value| wanted(value)).cloned();
        let what = format!("{field} in the status");
        wait::until_some(patience, &what, look)
            .unwrap_or_else(|error| panic!("{error}\nstatus: {:#}\nlog:\n{}", self.status(), self.log()))
    }

    /// Waits until a field of the status is this text.
    pub fn wait_for_text(&self, field: &str, text: &str) {
        self.wait_for(field, |value| value == text);
    }

    /// Waits until a text field of the status contains this.
    pub fn wait_for_words(&self, field: &str, words: &str) {
        self.wait_for(field, |value| value.as_str().is_some_and(|text| text.contains(words)));
    }

    /// Waits until this run of the daemon has logged a line with these words. Use it for states that are too short to be
    /// seen in the status.
    pub fn wait_for_log(&mut self, words: &str) {
        self.process().wait_for_line(SOON, |line| line.contains(words)).unwrap();
    }

    pub fn wait_online(&self) {
        self.wait_for("working", |working| *working == true);
        assert_eq!(self.credentials().status, 200);
    }

    /// Like [`wait_online`](Self::wait_online), but allows for a next attempt that is two minutes away.
    pub fn wait_longer_online(&self) {
        self.wait_longer_for(4 * SOON, "working", |working| *working == true);
    }

    pub fn wait_for_csr(&self) -> PathBuf {
        self.wait_for_text("identity.phase", "no-certificate");
        self.state("device.csr")
    }

    /// Installs a certificate in the same way as `cp`.
    pub fn install(&self, pem: &str) {
        fs::write(self.state("device.pem"), pem).unwrap();
    }

    /// Returns the path of the client, which is built beside the daemon.
    pub fn client(&self) -> PathBuf {
        let path = Path::new(env!("CARGO_BIN_EXE_gatepostd")).with_file_name("gatepost");
        assert!(
            path.exists(),
            "{} is missing: `make test` builds it first",
            path.display()
        );
        path
    }
}
