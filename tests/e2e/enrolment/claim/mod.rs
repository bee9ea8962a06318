//! Enrolment by AWS fleet provisioning: the image contains only a claim certificate.

pub mod faults;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cloudlet::account::{PreProvisioningHook, ProvisioningTemplate, TemplateType};
use cloudlet::switches::IssuedSubject;
use cloudlet::{CertificateId, CertificateStatus, Event, Policy, Role, Template};
use rig::token::{SoftHsm, Token};
use serde_json::Value;

use crate::bad_input::check_config;
use crate::support::{self, PIN, SOON, World};

const ROLE: &str = "arn:aws:iam::123456789012:role/Provisioning";
/// The thing name from the template.
const NAME: &str = "SN-4711";

/// A gateway with a claim certificate, and a cloud with the template, the policies and the role of config/aws.
pub struct Claiming {
    pub world: World,
    claim: CertificateId,
}

pub fn shipped(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/aws").join(name);
    fs::read_to_string(path)
        .unwrap()
        .replace("REGION", "us-east-1")
        .replace("ACCOUNT", "123456789012")
        .replace("TEMPLATE", "gateways")
        .replace("ROLE_ALIAS", "telemetry")
}

impl Claiming {
    fn new() -> Self {
        Self::with(&shipped("fleet-provisioning-template.json"), None)
    }

    pub fn with(template: &str, hook: Option<&str>) -> Self {
        Self::in_token(Box::new(SoftHsm::new("gateway", PIN).unwrap()), template, hook)
    }

    fn in_token(token: Box<dyn Token>, template: &str, hook: Option<&str>) -> Self {
        let mut world = World::with(token, support::options());
        let claim = world.cloud.create_keys_and_certificate().unwrap();
        let made = world.cloud.account().change(|account| {
            account.roles.put(Role::provisioning(ROLE));
            account
                .policies
                .create(Policy::new("claim", &shipped("claim-policy.json"))?)?;
            account
                .policies
                .create(Policy::new("gatepost", &shipped("policy.json"))?)?;
            account.attach_policy(&claim.id, "claim")?;
            let body = Template::parse(template)?;
            account.templates.create(ProvisioningTemplate {
                pre_provisioning_hook: hook.map(|name| {
                    PreProvisioningHook::new(format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"))
                }),
                ..ProvisioningTemplate::new("gateways", TemplateType::FleetProvisioning, ROLE, body, 0)
            })
        });
        made.unwrap();
        let folder = world.gateway.folder.path().to_owned();
        fs::write(folder.join("claim.pem"), &claim.certificate).unwrap();
        fs::write(folder.join("claim.key"), &claim.private_key).unwrap();
        let folder = folder.display();
        let chain = format!("ca-chain = \"{}\"\n", world.ca.ca_pem_path().display());
        world.gateway.configure(&chain, "");
        world.gateway.config += &format!(
            "[enrolment]\nmethod = \"claim\"\n[enrolment.claim]\ntemplate = \"gateways\"\ncertificate = \"{folder}/claim.pem\"\n\
             key-file = \"{folder}/claim.key\"\nparameters = {{ SerialNumber = \"{NAME}\" }}\n"
        );
        Self { world, claim: claim.id }
    }

    /// Creates a function of the account that runs this script.
    pub fn function(&self, name: &str, script: &str) {
        let path = self.world.gateway.folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self.world.cloud.switches().set(|switches| {
            switches.fleet.functions.insert(name.to_owned(), path);
        });
    }

    /// Returns the certificates at AWS other than the claim certificate.
    fn certificates(&self) -> Vec<cloudlet::Certificate> {
        let is_own = |known: &&cloudlet::Certificate| known.id != self.claim;
        self.world
            .cloud
            .account()
            .read(|account| account.certificates.iter().filter(is_own).cloned().collect())
    }

    /// Waits for a problem of the identity with these words.
    pub fn wait_for_problem(&self, words: &str) -> String {
        let says = |problem: &Value| problem.to_string().contains(words);
        self.world.gateway.wait_for("identity.problem", says).to_string()
    }
}

#[test]
fn promise_11_an_empty_gateway_claims_its_certificate_and_its_name() {
    for subject in [IssuedSubject::OfRequest, IssuedSubject::Default] {
        let mut claiming = Claiming::new();
        let world = &mut claiming.world;
        world
            .cloud
            .switches()
            .set(|switches| switches.fleet.issued_subject = subject);
        let said = check_config(&world.gateway);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(
            said.contains("thing name   (from the provisioning template gateways)\n"),
            "{said}"
        );
        world.gateway.start();
        world.gateway.wait_online();
        let status = world.gateway.status();
        assert_eq!(status["identity"]["thing_name"], NAME, "{subject:?}");
        assert_eq!(status["identity"]["enrolment"]["method"], "claim");
        assert_eq!(status["session"]["client_id"], NAME);
        assert_eq!(world.gateway.credentials().status, 200);
        let announced = |event: &Event| matches!(event, Event::Published { topic, .. } if *topic == format!("{NAME}/gatepost/status"));
        world.cloud.wait_for(SOON, announced).unwrap();

        // After a restart the name is known, and nothing is requested. The claim certificate is not needed any more.
        world.gateway.stop();
        for file in ["claim.pem", "claim.key"] {
            fs::remove_file(world.gateway.folder.path().join(file)).unwrap();
        }
        let checked = check_config(&world.gateway);
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(
            checked.status.success() && said.contains(&format!("thing name   {NAME}\n")),
            "{checked:?}"
        );
        world.gateway.start();
        world.gateway.wait_online();
        assert_eq!(world.gateway.status()["session"]["client_id"], NAME);
        let log = world.gateway.log();
        assert!(!log.contains("PRIVATE KEY") && !log.contains("error:"), "{log}");
        assert!(!world.gateway.state("claim.json").exists());
        let [certificate] = claiming.certificates().try_into().unwrap();
        assert_eq!(certificate.status, CertificateStatus::Active);
        assert!(certificate.things.contains(NAME) && certificate.policies.contains("gatepost"));
        claiming.world.gateway.stop();
    }
}

#[test]
fn promise_11_a_claim_certificate_may_have_its_key_in_the_token() {
    let token = Arc::new(SoftHsm::new("gateway", PIN).unwrap());
    let template = shipped("fleet-provisioning-template.json");
    let mut claiming = Claiming::in_token(Box::new(token.clone()), &template, None);
    let folder = claiming.world.gateway.folder.path().to_owned();
    token.import(&folder.join("claim.key"), "claim", "0c").unwrap();
    fs::remove_file(folder.join("claim.key")).unwrap();
    let line = format!("key-file = \"{}/claim.key\"\n", folder.display());
    // A claim whose key is not there says which one is meant.
    let missing = format!("key = \"{}\"\n", token.uri("nothing"));
    claiming.world.gateway.configure(&line, &missing);
    claiming.world.gateway.start();
    claiming.wait_for_problem("enrolment.claim.key: no private key matches");
    claiming.world.gateway.stop();
    fs::remove_file(claiming.world.gateway.state("enrolment.json")).unwrap();
    let right = format!("key = \"{}\"\n", token.uri("claim"));
    claiming.world.gateway.configure(&missing, &right);
    claiming.world.gateway.start();
    claiming.world.gateway.wait_online();
    let status = claiming.world.gateway.status();
    assert_eq!(status["identity"]["thing_name"], NAME);
    assert_eq!(claiming.certificates().len(), 1);
    claiming.world.gateway.stop();
}

#[test]
fn promise_11_a_claimed_certificate_is_renewed_by_the_claim_while_the_session_goes_on() {
    let mut claiming = Claiming::new();
    let switches = claiming.world.cloud.switches();
    switches.set(|switches| switches.fleet.certificate_lifetime = Some(Duration::from_secs(60)));
    claiming.world.gateway.start();
    claiming.world.gateway.wait_for_text("identity.phase", "ready");
    let switches = claiming.world.cloud.switches();
    switches.set(|switches| switches.fleet.certificate_lifetime = None);
    claiming.world.gateway.wait_online();
    let first = claiming.world.certificate_id();
    let gateway = &claiming.world.gateway;
    let renewed = gateway.wait_for("identity.certificate_id", |id| {
        id.is_string() && *id != first.to_string()
    });
    let is_connected = |event: &Event| match event {
        Event::Connected {
            certificate, client_id, ..
        } => renewed == certificate.to_string() && client_id == NAME,
        _ => false,
    };
    claiming.world.cloud.wait_for(SOON, is_connected).unwrap();
    gateway.wait_online();
    assert_eq!(claiming.certificates().len(), 2);
    let log = gateway.log();
    assert!(!log.contains("error:") && !log.contains("took over"), "{log}");
    claiming.world.gateway.stop();
}
