//! Enrolment by EST with a bootstrap certificate whose key is in the token.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use est_server::{EstServer, Event};
use rig::fleet_ca::{FleetCa, SoftwareKey, Validity};
use rig::token::{Class, SoftHsm, Token as _};
use rig::wait;

use super::{LIFETIME_THAT_ENDS, enrol_at, renew_at};
use crate::check::check;
use crate::command::run;
use crate::support::{self, PIN, SOON, World};

/// The subject of the bootstrap certificate, which is not the gateway's.
const SUBJECT: &str = "/O=Factory/CN=unit-4711";

/// A gateway that the factory has given a key and a certificate, and an EST server that knows the factory's CA.
struct Bootstrapping {
    world: World,
    server: EstServer,
    token: Arc<SoftHsm>,
    factory: FleetCa,
    key: SoftwareKey,
}

impl Bootstrapping {
    fn new(lifetime: Duration) -> Self {
        // Not the CA of the fleet, which other tests share.
        let factory = FleetCa::another().unwrap();
        let token = Arc::new(SoftHsm::new("gateway", PIN).unwrap());
        let key = SoftwareKey::new(SUBJECT).unwrap();
        token.import(&key.key_path(), "idevid", "0a").unwrap();
        let server = EstServer::start(est_server::Options {
            bootstrap_cas: Some(factory.ca_pem().unwrap()),
            require_certificate: true,
            lifetime,
            ..est_server::Options::default()
        })
        .unwrap();
        let mut world = World::with(Box::new(token.clone()), support::options());
        enrol_at(&mut world, &server);
        let secret = world.gateway.folder.path().join("secret");
        fs::remove_file(&secret).unwrap();
        let line = format!("secret-file = \"{}\"\n", secret.display());
        let bootstrap = format!(
            "bootstrap-certificate = \"{}\"\nbootstrap-key = \"{}\"\n",
            world.gateway.folder.path().join("idevid.pem").display(),
            token.uri("idevid")
        );
        world.gateway.configure(&line, &bootstrap);
        let made = Self {
            world,
            server,
            token,
            factory,
            key,
        };
        made.install(&made.factory.sign_v3(&made.key.csr_path()).unwrap());
        made
    }

    fn certificate(&self) -> PathBuf {
        self.world.gateway.folder.path().join("idevid.pem")
    }

    fn install(&self, pem: &str) {
        fs::write(self.certificate(), pem).unwrap();
    }

    /// The line of `gatepost check` about the certificate. The daemon is not running.
    fn check(&self) -> serde_json::Value {
        let (_, said, noted) = run(&mut check(&self.world.gateway, &self.world.cloud, &["--json"]));
        let document: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{noted}"));
        let lines = document["checks"].as_array().unwrap();
        let line = lines.iter().find(|line| line["id"] == "bootstrap-certificate");
        line.unwrap_or_else(|| panic!("{document:#}")).clone()
    }

    /// The clients to which a certificate was issued.
    fn clients(&self) -> Vec<String> {
        let of = |event: Event| match event {
            Event::Answered {
                operation: Some(est_server::Operation::Enrol | est_server::Operation::Reenrol),
                client,
                status: 200,
                ..
            } => client,
            _ => None,
        };
        self.server.events().into_iter().filter_map(of).collect()
    }
}

fn has_expired(pem: &Path) -> bool {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-checkend", "0", "-noout", "-in"]).arg(pem);
    !openssl.output().unwrap().status.success()
}

#[test]
fn promise_11_a_bootstrap_certificate_enrols_and_replaces_an_expired_certificate() {
    let mut bootstrapping = Bootstrapping::new(LIFETIME_THAT_ENDS);
    let gateway = &mut bootstrapping.world.gateway;
    gateway.start();
    let pem = gateway.state("device.pem");
    wait::until(SOON, "the certificate", || pem.exists()).unwrap();
    gateway.kill();
    wait::until(SOON, "the end of the certificate", || has_expired(&pem)).unwrap();
    bootstrapping.server.set_lifetime(Duration::from_secs(24 * 3600));
    let before = bootstrapping.clients().len();
    let gateway = &mut bootstrapping.world.gateway;
    gateway.start();
    gateway.wait_online();
    let clients = bootstrapping.clients();
    assert_eq!(clients.len(), before + 1, "{clients:?}");
    assert!(clients.last().unwrap().contains("unit-4711"), "{clients:?}");

    // The renewal is by the certificate in use, whatever became of the bootstrap certificate.
    fs::remove_file(bootstrapping.certificate()).unwrap();
    bootstrapping.token.delete(Class::PrivateKey, "0a").unwrap();
    let (code, said, noted) = renew_at(&bootstrapping.world.gateway, &["--wait"]);
    assert_eq!(code, 0, "{said}{noted}");
    let clients = bootstrapping.clients();
    assert!(clients.last().unwrap().contains("gw-1"), "{clients:?}");
    let log = bootstrapping.world.gateway.log();
    assert!(!log.contains(PIN), "{log}");
    bootstrapping.world.gateway.stop();
    let line = bootstrapping.check();
    assert_eq!(line["outcome"], "ok", "{line}");
    assert!(line["message"].as_str().unwrap().contains("is needed only"), "{line}");
}

/// Changes one thing about the certificate, its key or its server.
type Change = fn(&mut Bootstrapping);

#[test]
fn what_is_wrong_with_a_bootstrap_certificate_is_said_with_its_next_step() {
    let mut bootstrapping = Bootstrapping::new(Duration::from_secs(24 * 3600));
    let good = fs::read_to_string(bootstrapping.certificate()).unwrap();
    let config = bootstrapping.world.gateway.config.clone();
    // The last column: what `gatepost check` says without the daemon, which asks no server.
    let cases: [(&str, Change, &str, &str, &str); 9] = [
        (
            "another CA",
            |of| of.install(&FleetCa::another().unwrap().sign_v3(&of.key.csr_path()).unwrap()),
            "does not accept the bootstrap certificate (TLS alert",
            "trust the CA that has issued it",
            "it belongs to its key",
        ),
        (
            "expired",
            |of| of.install(&of.factory.sign_v3_valid(&of.key.csr_path(), Validity::Expired).unwrap()),
            "the bootstrap certificate expired on",
            "replace the certificate and its key with new ones",
            "expired on",
        ),
        (
            "no such key",
            |of| of.world.gateway.configure("object=idevid", "object=other"),
            "enrolment.est.bootstrap-key: no private key matches",
            "correct enrolment.est.bootstrap-key",
            "enrolment.est.bootstrap-key: no private key matches",
        ),
        (
            "another key's certificate",
            |of| of.install(&of.factory.for_another_key(SUBJECT).unwrap()),
            "has no certificate for the key that enrolment.est.bootstrap-key",
            "put the certificate for that key there",
            "has no certificate for the key that enrolment.est.bootstrap-key",
        ),
        (
            "the certificate is not there",
            |of| fs::remove_file(of.certificate()).unwrap(),
            "there is no certificate, and no credential to request the first one with",
            "enrolment.est.bootstrap-certificate",
            "enrolment.est.bootstrap-certificate: ",
        ),
        (
            "a private key in the certificate's file",
            |of| {
                let key = fs::read_to_string(of.key.key_path()).unwrap();
                let certificate = of.factory.sign_v3(&of.key.csr_path()).unwrap();
                of.install(&format!("{certificate}{key}"));
            },
            "private key",
            "",
            "private key",
        ),
        (
            "another token",
            |of| {
                let with_serial = |gateway: &mut support::Gateway| {
                    let uri = gateway.config.split("bootstrap-key = \"").nth(1).unwrap();
                    let uri = uri.split('"').next().unwrap().to_owned();
                    gateway.configure(&uri, "pkcs11:serial=0;object=idevid");
                };
                with_serial(&mut of.world.gateway);
            },
            "does not match the token that token.key",
            "have the key made in the same token",
            "does not match the token that token.key",
        ),
        (
            "an RSA key of 1024 bits",
            |of| {
                let pem = of.world.gateway.folder.path().join("small.pem");
                let mut openssl = Command::new("openssl");
                openssl.args(["genrsa", "-out"]).arg(&pem).arg("1024");
                assert!(openssl.output().unwrap().status.success());
                of.token.import(&pem, "small", "0b").unwrap();
                of.world.gateway.configure("object=idevid", "object=small");
            },
            "is RSA with 1024 bits",
            "name another key in enrolment.est.bootstrap-key",
            "is RSA with 1024 bits",
        ),
        (
            "the public key alone",
            |of| of.token.delete(Class::PrivateKey, "0a").unwrap(),
            "has only the public key for",
            "name the private key in enrolment.est.bootstrap-key",
            "has only the public key for",
        ),
    ];
    for (name, change, message, step, checked) in cases {
        change(&mut bootstrapping);
        let gateway = &mut bootstrapping.world.gateway;
        gateway.start();
        let problem = gateway.wait_for("identity.enrolment.problem", |problem| {
            problem["message"].as_str().is_some_and(|text| text.contains(message))
        });
        assert!(
            problem["next_step"].as_str().unwrap_or_default().contains(step),
            "{name}: {problem}"
        );
        assert!(!problem.to_string().contains("BEGIN"), "{name}: {problem}");
        gateway.stop();
        assert!(!gateway.state("device.pem").exists(), "{name}");
        let line = bootstrapping.check();
        let is_good = name == "another CA";
        assert_eq!(line["outcome"], if is_good { "ok" } else { "fail" }, "{name}: {line}");
        assert!(line["message"].as_str().unwrap().contains(checked), "{name}: {line}");
        assert_eq!(line["next_step"].is_string(), !is_good, "{name}: {line}");
        assert!(!line.to_string().contains("BEGIN"), "{name}: {line}");
        let gateway = &mut bootstrapping.world.gateway;
        fs::remove_file(gateway.state("enrolment.json")).ok();
        gateway.config.clone_from(&config);
        bootstrapping.install(&good);
    }
    assert!(bootstrapping.clients().is_empty());
    let token = &bootstrapping.token;
    token.delete(Class::PublicKey, "0a").unwrap();
    token.import(&bootstrapping.key.key_path(), "idevid", "0a").unwrap();
    bootstrapping.world.gateway.start();
    bootstrapping.world.gateway.wait_online();
}
