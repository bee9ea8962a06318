//! Enrolment by EST: an empty gateway comes online without a human, renews its certificate, and says what is in the way.

mod misbehaviour;

use std::fs;
use std::path::Path;
use std::time::Duration;

use est_server::{EstServer, Event, User};
use rig::token::SoftHsm;

use crate::world::{self, PIN, SOON, THING, World};

const SECRET: &str = "hunter2-of-gw-1";

/// A gateway whose certificate comes from an EST server, which AWS knows as the fleet's CA.
struct Enrolling {
    world: World,
    server: EstServer,
}

impl Enrolling {
    /// `one_time` says whether the gateway's secret works for one certificate only.
    fn new(one_time: bool, options: est_server::Options) -> Self {
        let server = EstServer::start(est_server::Options {
            users: vec![User {
                name: THING.to_owned(),
                secret: SECRET.to_owned(),
                one_time,
            }],
            ..options
        })
        .unwrap();
        let mut world = World::with(Box::new(SoftHsm::new("gateway", PIN).unwrap()), world::options());
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
        Self { world, server }
    }

    fn path(&self) -> &Path {
        self.world.gateway.folder.path()
    }
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
    // The next one lives long, so that the test ends with a certificate that is good.
    enrolling.server.set_lifetime(Duration::from_secs(24 * 3600));
    enrolling.world.gateway.wait_online();
    let first = enrolling.world.certificate_id();
    // It is not needed any more.
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
