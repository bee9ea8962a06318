//! Enrolment by EST: an empty gateway comes online without a human, renews its certificate, and reports problems.

mod bootstrap;
mod claim;
mod fleet;
mod globalsign;
mod helper;
mod misbehaviour;
mod new_key;
mod rotation;
mod silence;
mod step_ca;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use est_server::{EstServer, Event, User};
use rig::token::SoftHsm;
use rig::wait;
use tempfile::TempDir;

use crate::command::{client, run};
use crate::support::{self, Gateway, PIN, SOON, THING, World};

/// Lifetime of a certificate that a test lets expire. A busy machine must be able to install it before.
const LIFETIME_THAT_ENDS: Duration = Duration::from_secs(15);
pub const SECRET: &str = "hunter2-of-gw-1";

/// A gateway that gets its certificate from an EST server, whose CA is registered at AWS.
struct Enrolling {
    world: World,
    server: EstServer,
}

impl Enrolling {
    /// Creates it. `one_time` says whether the gateway's secret works for one certificate only.
    fn new(one_time: bool, options: est_server::Options) -> Self {
        let server = start_est_server(one_time, options);
        let mut world = World::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), support::options());
        enrol_at(&mut world, &server);
        Self { world, server }
    }

    fn path(&self) -> &Path {
        self.world.gateway.folder.path()
    }
}

/// Starts an EST server that knows the gateway's secret.
pub fn start_est_server(one_time: bool, options: est_server::Options) -> EstServer {
    EstServer::start(est_server::Options {
        users: vec![User {
            name: THING.to_owned(),
            secret: SECRET.to_owned(),
            one_time,
        }],
        ..options
    })
    .unwrap()
}

/// Configures the gateway to enrol at this server, whose CA is registered at AWS.
pub fn enrol_at(world: &mut World, server: &EstServer) {
    let template = world.cloud.article_template();
    world.cloud.register_ca(&server.ca_pem(), template).unwrap();
    let folder = world.gateway.folder.path().to_owned();
    let file = |name: &str, content: &str| {
        fs::write(folder.join(name), content).unwrap();
        folder.join(name).display().to_string()
    };
    let chain = world.ca.ca_pem_path().display().to_string();
    world.gateway.configure(&chain, &file("fleet-ca.pem", &server.ca_pem()));
    let (server_ca, secret) = (file("est-root.pem", server.server_ca_pem()), file("secret", SECRET));
    world.gateway.config += &format!(
        "[enrolment]\nmethod = \"est\"\n[enrolment.est]\nurl = \"{}\"\nserver-ca = \"{server_ca}\"\nsecret-file = \"{secret}\"\n",
        server.url()
    );
}

#[test]
fn promise_11_an_empty_gateway_enrols_and_renews_without_a_human() {
    let mut enrolling = Enrolling::new(
        true,
        est_server::Options {
            lifetime: Duration::from_secs(60),
            ..est_server::Options::default()
        },
    );
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_for_text("identity.phase", "ready");
    // The next certificate has a long lifetime, so that the test ends with a valid one.
    enrolling.server.set_lifetime(Duration::from_secs(24 * 3600));
    enrolling.world.gateway.wait_online();
    let first = enrolling.world.certificate_id();
    // The secret is not needed any more.
    fs::remove_file(enrolling.path().join("secret")).unwrap();

    let is_renewal = |event: &Event| matches!(event, Event::Issued { renewal: true, .. });
    enrolling.server.wait_for(1, 2 * SOON, is_renewal).unwrap();
    let gateway = &enrolling.world.gateway;
    let renewed = gateway.wait_for("identity.certificate_id", |id| *id != first.to_string());
    let is_connected = |event: &cloudlet::Event| match event {
        cloudlet::Event::Connected { certificate, .. } => renewed == certificate.to_string(),
        _ => false,
    };
    enrolling.world.cloud.wait_for(SOON, is_connected).unwrap();
    gateway.wait_online();
    let issued = enrolling.server.events();
    let issued = issued.iter().filter(|event| matches!(event, Event::Issued { .. }));
    assert_eq!(issued.count(), 2, "one each time");
    assert!(!gateway.state("enrolment.json").exists(), "nothing is asked for");
    let log = gateway.log();
    assert!(!log.contains(SECRET) && !log.contains("error:"), "{log}");
}

#[test]
fn promise_11_a_gateway_that_slept_past_its_expiry_comes_back_by_its_secret() {
    let mut enrolling = Enrolling::new(
        false,
        est_server::Options {
            lifetime: LIFETIME_THAT_ENDS,
            ..est_server::Options::default()
        },
    );
    let gateway = &mut enrolling.world.gateway;
    gateway.start();
    let pem = gateway.state("device.pem");
    wait::until(SOON, "the certificate", || pem.exists()).unwrap();
    gateway.kill();
    let has_expired = || {
        let shown = Command::new("openssl")
            .args(["x509", "-checkend", "0", "-noout", "-in"])
            .arg(&pem)
            .output();
        !shown.unwrap().status.success()
    };
    wait::until(SOON, "the end of the certificate", has_expired).unwrap();

    // Without the secret a person is needed, and the status says so.
    let secret = enrolling.path().join("secret");
    fs::rename(&secret, secret.with_extension("away")).unwrap();
    let gateway = &mut enrolling.world.gateway;
    gateway.start();
    gateway.wait_for_words(
        "identity.enrolment.problem.message",
        "has expired, so it cannot be renewed by itself",
    );
    fs::rename(secret.with_extension("away"), &secret).unwrap();
    enrolling.server.set_lifetime(Duration::from_secs(24 * 3600));
    gateway.kill();
    gateway.start();
    gateway.wait_online();
    let is_renewal = |event: &Event| matches!(event, Event::Issued { renewal: true, .. });
    assert!(
        !enrolling.server.events().iter().any(is_renewal),
        "an expired certificate proves nothing"
    );
}

#[test]
fn promise_11_a_new_ca_is_followed_by_the_certificates_that_connect_it() {
    let mut enrolling = Enrolling::new(
        true,
        est_server::Options {
            lifetime: Duration::from_secs(60),
            ..est_server::Options::default()
        },
    );
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_online();
    let first = enrolling.world.certificate_id();
    enrolling.server.set_lifetime(Duration::from_secs(24 * 3600));
    enrolling.server.roll_over().unwrap();
    let both = enrolling.server.ca_pem();
    let newest = both.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    let template = enrolling.world.cloud.article_template();
    enrolling.world.cloud.register_ca(newest, template).unwrap();

    let gateway = &enrolling.world.gateway;
    let renewed = gateway.wait_longer_for(2 * SOON, "identity.certificate_id", |id| *id != first.to_string());
    let is_connected = |event: &cloudlet::Event| match event {
        cloudlet::Event::Connected { certificate, .. } => renewed == certificate.to_string(),
        _ => false,
    };
    enrolling.world.cloud.wait_for(SOON, is_connected).unwrap();
    gateway.wait_online();
    let chain = fs::read_to_string(gateway.state("device.pem")).unwrap();
    assert!(!chain.contains(newest), "the new root is not trusted for itself");
}

/// Returns the exit code, stdout and stderr of `gatepost renew`.
fn renew(enrolling: &Enrolling, words: &[&str]) -> (i32, String, String) {
    renew_at(&enrolling.world.gateway, words)
}

fn renew_at(gateway: &Gateway, words: &[&str]) -> (i32, String, String) {
    run(&mut client(gateway, &[&["renew"], words].concat()))
}

#[test]
fn promise_11_a_renewal_that_is_asked_for_now_is_proven_before_it_replaces_the_certificate() {
    let mut enrolling = Enrolling::new(true, est_server::Options::default());
    enrolling.world.gateway.start();
    enrolling.world.gateway.wait_online();
    let first = enrolling.world.certificate_id().to_string();
    let renewal = enrolling.world.gateway.status()["identity"]["enrolment"]["next_attempt"].clone();
    assert!(renewal.as_str().is_some_and(|due| due.starts_with("20")), "{renewal}");

    let (code, said, noted) = renew(&enrolling, &["--wait"]);
    assert_eq!(code, 0, "{said}{noted}");
    assert!(
        said.contains("requested now") && said.contains("AWS has accepted it"),
        "{said}"
    );
    let second = enrolling.world.gateway.status()["session"]["certificate_id"].clone();
    assert!(said.contains(second.as_str().unwrap()) && second != first, "{said}");
    let is_renewal = |event: &&Event| matches!(event, Event::Issued { renewal: true, .. });
    assert_eq!(enrolling.server.events().iter().filter(is_renewal).count(), 1);

    // A server that refuses does no harm beyond the request itself.
    let refusing = est_server::AnswerFault::Status(403).times(1);
    enrolling
        .server
        .switch(|switches| switches.enrolment_faults = [refusing].into());
    let (code, said, noted) = renew(&enrolling, &["--wait"]);
    assert_eq!(code, 78, "{said}{noted}");
    assert!(
        noted.contains("no certificate was issued") && noted.contains("403"),
        "{noted}"
    );
    let gateway = &enrolling.world.gateway;
    assert_eq!(gateway.status()["session"]["certificate_id"], second);
    let page = crate::metrics::metrics(gateway);
    for sample in [
        r#"gatepost_enrolment_attempts_total{result="issued"} 2"#,
        r#"gatepost_enrolment_attempts_total{result="failed"} 1"#,
        "gatepost_enrolment_pending 1",
    ] {
        assert!(page.contains(sample), "{page}");
    }
    let (_, said, _) = run(&mut client(gateway, &["check"]));
    assert!(
        said.contains("method est: a certificate has been requested since"),
        "{said}"
    );
    let (_, said, _) = run(&mut client(gateway, &["status"]));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("a new certificate is requested again in"), "{said}");
}

#[test]
fn a_certificate_that_a_person_brings_is_not_renewed_by_the_gateway() {
    let mut world = World::new();
    world.gateway.start();
    world.certify();
    world.gateway.wait_online();
    let (code, _, noted) = run(&mut client(&world.gateway, &["renew", "--wait"]));
    assert_eq!(code, 78, "{noted}");
    assert!(
        noted.contains("enrolment.method is \"file\"") && noted.contains("gatepost csr"),
        "{noted}"
    );
    let (code, _, noted) = run(&mut client(&world.gateway, &["renew", "--timeout", "5"]));
    assert_eq!(code, 64, "{noted}");
}

#[test]
fn retry_asks_the_server_at_once() {
    let mut enrolling = Enrolling::new(true, est_server::Options::default());
    let refusing = est_server::AnswerFault::Status(403).times(1);
    enrolling
        .server
        .switch(|switches| switches.enrolment_faults = [refusing].into());
    let gateway = &mut enrolling.world.gateway;
    gateway.start();
    gateway.wait_for_words("identity.enrolment.problem.message", "403");
    let (code, said, noted) = run(&mut client(gateway, &["retry", "enrolment", "--wait"]));
    assert_eq!(code, 0, "{said}{noted}");
    assert!(said.contains("identity: the server is asked now, not at 20"), "{said}");
    gateway.wait_for("identity.enrolment.next_attempt", |next| next.is_string());
    gateway.wait_for_text("identity.phase", "ready");
    let (code, said, _) = run(&mut client(gateway, &["retry", "enrolment"]));
    assert!(
        code == 0 && said.contains("no certificate is due; the next renewal is due at 20"),
        "{said}"
    );
    let attempts = gateway.wait_for("identity.enrolment.attempts", |attempts| attempts.is_u64());
    assert_eq!(attempts, 2);
}
