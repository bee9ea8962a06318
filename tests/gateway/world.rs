//! One gateway in its world: a token, a fleet CA, a cloud, and the daemon between them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use cloudlet::{Cloudlet, Options, Policy, Role, RoleAlias, Template};
use rig::fleet_ca::FleetCa;
use rig::manager::Manager;
use rig::process::{Process, Signal};
use rig::shell::Shell;
use rig::token::{SoftHsm, Token};
use rig::unix_http::{self, Response};
use rig::wait;
use serde_json::Value;
use tempfile::TempDir;

/// For what takes a moment on a slow machine; never a measure of anything.
pub const SOON: Duration = Duration::from_secs(60);
/// The gateway's thing name.
pub const THING: &str = "gw-1";
/// The token's user PIN.
pub const PIN: &str = "correct-horse-battery";

/// Everything a test needs; all of it ends when it is dropped.
pub struct World {
    pub gateway: Gateway,
    pub cloud: Cloudlet,
    pub ca: FleetCa,
    pub token: Box<dyn Token>,
}

impl World {
    /// A world with an empty SoftHSM token and a cloud that provisions at once.
    pub fn new() -> Self {
        Self::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), options())
    }

    /// A world with this token and this cloud: the fleet CA is registered, the role alias `telemetry` exists.
    pub fn with(token: Box<dyn Token>, options: Options) -> Self {
        Self::with_template(token, options, Cloudlet::article_template)
    }

    /// The same with another provisioning template.
    pub fn with_template(token: Box<dyn Token>, options: Options, template: fn(&Cloudlet) -> Template) -> Self {
        let ca = FleetCa::new().unwrap();
        let cloud = Cloudlet::start(options).unwrap();
        cloud.register_ca(&ca.ca_pem().unwrap(), template(&cloud)).unwrap();
        let role = "arn:aws:iam::123456789012:role/telemetry";
        cloud.add_role(Role::trusting(role)).unwrap();
        cloud.add_role_alias(RoleAlias::new("telemetry", role)).unwrap();
        let gateway = Gateway::new(&cloud, &*token, &ca.ca_pem_path());
        Self {
            gateway,
            cloud,
            ca,
            token,
        }
    }

    /// Starts the daemon and brings it from whatever state it is in to an open session and valid credentials.
    pub fn bring_online(&mut self) {
        self.gateway.start();
        self.certify();
        self.gateway.wait_online();
    }

    /// Signs the request that the daemon has written (X.509 v1, as the AWS article does) and puts the certificate in place.
    pub fn certify(&self) {
        let csr = self.gateway.wait_for_csr();
        self.gateway.install(&self.ca.sign_v1(&csr).unwrap());
    }

    /// The certificate's ID at AWS, once the daemon has taken one.
    pub fn certificate_id(&self) -> cloudlet::CertificateId {
        let id = self.gateway.wait_for("identity.certificate_id", |id| id.is_string());
        let known = self.cloud.account().read(|account| {
            account
                .certificates()
                .find(|known| known.id.to_string() == id)
                .map(|known| known.id.clone())
        });
        known.unwrap_or_else(|| panic!("the cloud does not know certificate {id}"))
    }
}

/// The cloud that most tests want.
pub fn options() -> Options {
    let quick = Options::quick();
    Options {
        policy: Policy::seed_with_credentials(&quick.account, &quick.region),
        ..quick
    }
}

/// A user's shell with the AWS CLI set up as `cloudlet run` tells its user to.
pub fn shell(cloud: &Cloudlet) -> Shell {
    let administrator = cloud.administrator();
    Shell::new([
        ("AWS_ENDPOINT_URL", cloud.api_endpoint()),
        ("AWS_ACCESS_KEY_ID", administrator.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", administrator.secret_access_key),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
    ])
    .unwrap()
}

/// The daemon, its folders and its configuration. It may be started, killed and started again.
pub struct Gateway {
    pub folder: TempDir,
    pub config: String,
    pub env: Vec<(String, String)>,
    /// The words before its command: what it is started through.
    pub through: Vec<String>,
    /// Who starts it, if that is a service manager.
    pub manager: Option<Manager>,
    process: Option<Process>,
    /// What earlier runs of the daemon have logged.
    earlier: String,
}

impl Gateway {
    pub fn new(cloud: &Cloudlet, token: &dyn Token, ca_chain: &Path) -> Self {
        // Whatever the caller's umask: the daemon takes no configuration that everybody may write.
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

    /// Replaces a part of the configuration, which must be there.
    pub fn configure(&mut self, old: &str, new: &str) {
        assert!(self.config.contains(old), "{old} is not in the configuration");
        self.config = self.config.replace(old, new);
    }

    /// The main configuration file's path, written anew.
    pub fn write_config(&self) -> PathBuf {
        let path = self.folder.path().join("gatepost.toml");
        fs::write(&path, &self.config).unwrap();
        path
    }

    /// A command for the daemon with its environment, not started yet.
    pub fn command(&self) -> Command {
        let words = self.through.iter().map(String::as_str);
        let mut words = words.chain([env!("CARGO_BIN_EXE_gatepostd")]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .env_remove("JOURNAL_STREAM")
            .env_remove("NOTIFY_SOCKET")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command.arg("--config").arg(self.write_config());
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

    /// Ends the daemon as systemd does, and expects a clean end.
    pub fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// Asks the daemon to end, and expects a clean end in time.
    pub fn end(&mut self, signal: Signal) {
        self.process().signal(signal).unwrap();
        let status = self.process().wait(Duration::from_secs(5)).unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
        self.forget();
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process().signal(Signal::KILL).unwrap();
        self.process().wait(SOON).unwrap();
        self.forget();
    }

    /// The service manager that starts it.
    pub fn manager(&self) -> &Manager {
        self.manager.as_ref().expect("there is no service manager")
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("gatepostd is not running")
    }

    fn forget(&mut self) {
        self.earlier = self.log();
        self.process = None;
    }

    /// Everything logged so far, by all runs.
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

    /// The status document; `Null` while nobody answers.
    pub fn status(&self) -> Value {
        unix_http::get(&self.socket(), "/v1/status")
            .and_then(|answer| answer.json())
            .unwrap_or_default()
    }

    /// Waits until a field of the status (`session.phase`, `role_aliases.0.problem.message`) is as wanted.
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

    /// Waits until this run of the daemon has logged a line with these words: for what passes too quickly to be met in the
    /// status.
    pub fn wait_for_log(&mut self, words: &str) {
        self.process().wait_for_line(SOON, |line| line.contains(words)).unwrap();
    }

    pub fn wait_online(&self) {
        self.wait_for("working", |working| *working == true);
        assert_eq!(self.credentials().status, 200);
    }

    /// Like [`wait_online`](Self::wait_online), where the next attempt may be two minutes away.
    pub fn wait_longer_online(&self) {
        self.wait_longer_for(4 * SOON, "working", |working| *working == true);
    }

    pub fn wait_for_csr(&self) -> PathBuf {
        self.wait_for_text("identity.phase", "no-certificate");
        self.state("device.csr")
    }

    /// Puts a certificate in place, as `cp` does.
    pub fn install(&self, pem: &str) {
        fs::write(self.state("device.pem"), pem).unwrap();
    }

    /// The client command's path: built beside the daemon.
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
