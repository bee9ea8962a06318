//! A fleet CA and devices, created with openssl as in the AWS JITP article, and the clients that people use.
#![allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test support: fails loudly, and no one test uses all of it"
)]

pub(crate) mod claim_stage;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use cloudlet::{CertificateId, CertificateStatus, Cloudlet, Event, JitpStep, Options, Policy, Role, RoleAlias};

/// Long enough for a busy machine. No test waits until it has passed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The role of the role alias `telemetry`.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/telemetry";

/// The path of its credentials.
pub(crate) const PATH: &str = "/role-aliases/telemetry/credentials";

/// A fleet CA with a folder of its own.
pub(crate) struct Fleet {
    folder: tempfile::TempDir,
}

/// A device's certificate and key.
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        openssl(
            folder.path(),
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.pem \
             -subj /C=IN/O=Example/CN=Fleet -addext basicConstraints=critical,CA:TRUE",
        );
        Self { folder }
    }

    pub(crate) fn ca_pem(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ca.pem")).unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Issues a certificate with the article's own `openssl x509 -req`: X.509 v1 with OpenSSL 3.0.
    pub(crate) fn device_v1(&self, name: &str) -> Device {
        self.device(
            name,
            &format!("/C=IN/O=Example/CN={name}"),
            "ec -pkeyopt ec_paramgen_curve:P-256",
            "",
        )
    }

    /// Returns a device of this fleet together with the fleet, for a device that no cloudlet knows.
    pub(crate) fn device_v1_kept(self) -> (Self, Device) {
        let device = self.device_v1("stranger");
        (self, device)
    }

    /// Issues a v3 certificate, with any subject and kind of key.
    pub(crate) fn device_v3(&self, name: &str, subject: &str, key: &str) -> Device {
        std::fs::write(self.folder.path().join("v3.ext"), "basicConstraints=CA:FALSE\n").unwrap();
        self.device(name, subject, key, "-extfile v3.ext")
    }

    fn device(&self, name: &str, subject: &str, key: &str, extra: &str) -> Device {
        let folder = self.folder.path();
        openssl(
            folder,
            &format!("req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj {subject}"),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out {name}.pem {extra}"
            ),
        );
        Device {
            name: name.to_owned(),
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        }
    }
}

impl Device {
    pub(crate) fn id(&self) -> CertificateId {
        CertificateId::of_pem(&std::fs::read_to_string(&self.certificate).unwrap()).unwrap()
    }
}

/// Returns `cloudlet run` on free ports, with its files in `folder`.
pub(crate) fn run_command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudlet"));
    command
        .args([
            "run",
            "--mqtt-port",
            "0",
            "--credentials-port",
            "0",
            "--api-port",
            "0",
            "--dir",
        ])
        .arg(folder);
    command
}

/// Starts a cloudlet that knows a new fleet's CA.
pub(crate) fn cloudlet_with_fleet(options: Options) -> (Cloudlet, Fleet) {
    let cloud = Cloudlet::start(options).unwrap();
    let fleet = Fleet::new();
    cloud.register_ca(&fleet.ca_pem(), cloud.article_template()).unwrap();
    (cloud, fleet)
}

pub(crate) fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Returns `mosquitto_pub` or `mosquitto_sub`; only the topic is missing.
pub(crate) fn mosquitto(cloud: &Cloudlet, program: &str, device: &Device, version: &str) -> Command {
    let endpoint = cloud.mqtt_endpoint();
    let (host, port) = endpoint.split_once(':').unwrap();
    let mut command = Command::new(program);
    command.args([
        "-h",
        host,
        "-p",
        port,
        "-V",
        version,
        "-i",
        &device.name,
        "-q",
        "1",
        "--cafile",
    ]);
    command
        .arg(cloud.root_ca_path())
        .arg("--cert")
        .arg(&device.certificate)
        .arg("--key")
        .arg(&device.key);
    command
}

pub(crate) fn publish(cloud: &Cloudlet, device: &Device, version: &str, topic: &str) -> Output {
    mosquitto(cloud, "mosquitto_pub", device, version)
        .args(["-t", topic, "-m", "hello"])
        .output()
        .unwrap()
}

/// Connects for the first time, and waits until provisioning is complete.
pub(crate) fn provision(cloud: &Cloudlet, device: &Device) {
    let output = publish(cloud, device, "mqttv5", &format!("{}/first", device.name));
    assert!(!output.status.success(), "the first connection was not dropped");
    let id = device.id();
    cloud
        .wait_for(PATIENCE, |event| {
            matches!(event, Event::Jitp { certificate, step: JitpStep::StatusSet { .. } } if *certificate == id)
        })
        .unwrap();
    assert_eq!(cloud.certificate(&id).unwrap().status, CertificateStatus::Active);
}

/// Starts a cloudlet with a provisioned device whose policy allows it credentials.
pub(crate) fn ready() -> (Cloudlet, Fleet, Device) {
    let quick = Options::quick();
    let (cloud, fleet) = cloudlet_with_fleet(Options {
        policy: Policy::seed_with_credentials(&quick.account, &quick.region),
        ..quick
    });
    let device = fleet.device_v1("gw-1");
    provision(&cloud, &device);
    (cloud, fleet, device)
}

/// Creates the role alias `telemetry` and its role.
pub(crate) fn with_alias(cloud: &Cloudlet) -> Result<(), cloudlet::Error> {
    cloud.add_role(Role::trusting(ROLE))?;
    cloud.add_role_alias(RoleAlias::new("telemetry", ROLE))
}

/// Runs `curl` at the credentials provider. Its output ends with the status on a line of its own.
pub(crate) fn curl(cloud: &Cloudlet, device: &Device, path: &str, extra: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-i", "--max-time", "30", "-w", "\n%{http_code}", "--cacert"])
        .arg(cloud.root_ca_path());
    command
        .arg("--cert")
        .arg(&device.certificate)
        .arg("--key")
        .arg(&device.key)
        .args(extra);
    command
        .arg(format!("https://{}{path}", cloud.credentials_endpoint()))
        .output()
        .unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Starts a cloudlet that allows everything to everybody, and two devices.
pub(crate) fn free_for_all() -> (Cloudlet, Fleet, Device, Device) {
    let everything = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#;
    let (cloud, fleet) = cloudlet_with_fleet(Options {
        policy: Policy::named_by_document(everything).unwrap(),
        ..Options::quick()
    });
    let (watcher, device) = (fleet.device_v1("watcher"), fleet.device_v1("gw-1"));
    provision(&cloud, &watcher);
    provision(&cloud, &device);
    (cloud, fleet, watcher, device)
}

/// Returns how the first connection of `gw-1` after the first `seen` events ended.
pub(crate) fn end_of_next_connection(cloud: &Cloudlet, seen: usize) -> String {
    let mut connected = false;
    let ended = |event: &Event| match event {
        Event::Connected { client_id, .. } if client_id == "gw-1" => {
            connected = true;
            false
        }
        Event::Disconnected { client_id, .. } => client_id == "gw-1" && connected,
        _ => false,
    };
    match cloud.wait_for_after(seen, PATIENCE, ended) {
        Ok(Event::Disconnected { reason, .. }) => reason,
        other => panic!("no connection ended: {other:?}"),
    }
}
