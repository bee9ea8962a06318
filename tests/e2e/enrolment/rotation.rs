//! A job of AWS IoT rotates the certificate, by the protocol of AWS's certificate rotator.

use std::fs;
use std::process::Command;

use cloudlet::switches::{IssuedSubject, RotatorFault, RotatorVersion};
use cloudlet::{CertificateId, CertificateStatus, Event, Policy};
use rig::wait;
use serde_json::Value;

use crate::command::{client, run};
use crate::support::{SOON, THING, World};

const JOB: &str = r#"{"operation":"ROTATE_CERTIFICATE"}"#;
const POLICY: &str = "rotation";

/// A gateway that is online with a certificate which AWS knows, and whose policy is the one that gatepostd prints.
pub struct Rotating {
    pub world: World,
}

impl Rotating {
    fn new(version: RotatorVersion) -> Self {
        Self::of(World::new(), version, "")
    }

    /// Creates it with further lines of `[enrolment]`.
    pub fn of(mut world: World, version: RotatorVersion, lines: &str) -> Self {
        let chain = format!("ca-chain = \"{}\"\n", world.ca.ca_pem_path().display());
        world.gateway.configure(&chain, "");
        world.gateway.config += &format!(
            "[enrolment]\nrotation-jobs = true\n{lines}[[access]]\nuid = {}\npublish = [\"{{thing}}/#\"]\n",
            rustix::process::getuid().as_raw()
        );
        let switches = world.cloud.switches();
        switches.set(|switches| switches.rotator.version = Some(version));
        world.gateway.start();
        let pem = world.ca.sign_v1(&world.gateway.wait_for_csr()).unwrap();
        let printed = Command::new(env!("CARGO_BIN_EXE_gatepostd"))
            .args(["--print-policy", "--account", "123456789012", "--config"])
            .arg(world.gateway.write_config())
            .output()
            .unwrap();
        let policy = Policy::new(POLICY, &String::from_utf8(printed.stdout).unwrap()).unwrap();
        let made = world.cloud.account().change(|account| {
            account.policies.create(policy)?;
            account.registry.put_thing(cloudlet::Thing::new(THING))?;
            let id = account.register_certificate(&pem, CertificateStatus::Active, false)?;
            account.attach_policy(&id, POLICY)?;
            account.attach_thing(&id, THING)
        });
        made.unwrap();
        world.gateway.install(&pem);
        world.gateway.wait_online();
        Self { world }
    }

    pub fn set_fault(&self, fault: Option<RotatorFault>) {
        let switches = self.world.cloud.switches();
        switches.set(|switches| switches.rotator.fault = fault);
    }

    pub fn create_job(&self, id: &str) {
        self.world.cloud.jobs().create(id, JOB, &[THING]).unwrap();
    }

    /// Waits until the job has this status, and verifies that local programs notice nothing meanwhile.
    pub fn wait_for_job(&self, id: &str, status: &str) {
        let has_ended = || {
            assert_eq!(self.world.gateway.credentials().status, 200);
            self.world.cloud.jobs().status(id, THING) == Some(status)
        };
        wait::until(SOON, &format!("{status} of {id}"), has_ended)
            .unwrap_or_else(|error| panic!("{error}\n{}", self.world.gateway.log()));
    }

    pub fn wait_for_step(&self, step: &str) {
        self.world.gateway.wait_for_text("identity.rotation.step", step);
    }

    /// Waits until no rotation is running and the session uses this certificate.
    fn wait_until_settled(&self, certificate: impl Fn(&str) -> bool) -> String {
        let gateway = &self.world.gateway;
        gateway.wait_for("identity.rotation.job_id", Value::is_null);
        let in_use = gateway.wait_for("session.certificate_id", |id| id.as_str().is_some_and(&certificate));
        gateway.wait_online();
        assert!(!gateway.state("rotation.json").exists());
        in_use.as_str().unwrap().to_owned()
    }

    /// Returns the certificates that are attached to the thing.
    fn attached(&self) -> Vec<String> {
        self.world.cloud.account().read(|account| {
            let attached = account.certificates.iter().filter(|known| known.things.contains(THING));
            attached.map(|known| known.id.to_string()).collect()
        })
    }

    /// Deletes every other certificate of the thing, as an operator does after a job that was cancelled.
    fn keep_only(&self, certificate: &str) {
        for id in self.attached().iter().filter(|id| *id != certificate) {
            let found = self
                .world
                .cloud
                .account()
                .read(|account| account.certificate_named(id).map(|known| known.id.clone()));
            self.world.cloud.forget_certificate(&found.unwrap()).unwrap();
        }
    }

    fn id_of(&self, certificate: &str) -> CertificateId {
        let found = self
            .world
            .cloud
            .account()
            .read(|account| account.certificate_named(certificate).map(|known| known.id.clone()));
        found.unwrap()
    }
}

#[test]
fn promise_11_a_job_rotates_the_certificate_and_programs_notice_nothing() {
    for version in [RotatorVersion::StatusDetails, RotatorVersion::Shadow] {
        let rotating = Rotating::new(version);
        let gateway = &rotating.world.gateway;
        let first = rotating.world.certificate_id().to_string();
        // Jobs that request something else are not touched.
        rotating
            .world
            .cloud
            .jobs()
            .create("reboot", r#"{"operation":"REBOOT"}"#, &["another-thing"])
            .unwrap();
        rotating.create_job("rotate");
        let mut published = 0;
        while rotating.world.cloud.jobs().status("rotate", THING) != Some("SUCCEEDED") {
            let (code, _, error) = run(&mut client(gateway, &["publish", "gw-1/t", "m"]));
            assert_eq!(code, 0, "{error}");
            published += 1;
            assert!(published < 500, "{}", gateway.log());
        }
        let second = rotating.wait_until_settled(|id| id != first);
        assert_eq!(
            rotating.attached(),
            [second.as_str()],
            "{version:?}: the old certificate is deleted"
        );
        let arrived = |event: &Event| matches!(event, Event::Published { topic, .. } if topic == "gw-1/t");
        let all = || {
            rotating
                .world
                .cloud
                .events()
                .iter()
                .filter(|event| arrived(event))
                .count()
                >= published
        };
        wait::until(SOON, "every message", all).unwrap();
        let log = gateway.log();
        assert!(
            log.contains("job rotate has succeeded") && !log.contains("error:"),
            "{log}"
        );
        assert_eq!(gateway.status()["identity"]["rotation"]["problem"], Value::Null);
        let details = rotating.world.cloud.jobs().status_details("rotate", THING);
        let progress = details.get("certificateRotationProgress").map(String::as_str);
        assert_eq!(
            progress,
            (version == RotatorVersion::StatusDetails)
                .then_some("committed")
                .or(progress)
        );
    }
}

#[test]
fn a_power_cut_in_a_rotation_costs_no_human() {
    let mut rotating = Rotating::new(RotatorVersion::StatusDetails);
    let mut in_use = rotating.world.certificate_id().to_string();
    for (number, (fault, step, outcome)) in [
        (RotatorFault::IgnoresCreate, "requesting", "SUCCEEDED"),
        (RotatorFault::LosesCreated, "requesting", "FAILED"),
        (RotatorFault::AttachesNoPolicy, "proving", "SUCCEEDED"),
        (RotatorFault::IgnoresCommit, "committing", "SUCCEEDED"),
        (RotatorFault::LosesCommitted, "committing", "SUCCEEDED"),
    ]
    .into_iter()
    .enumerate()
    {
        let job = format!("rotate-{number}");
        rotating.set_fault(Some(fault));
        let before = rotating.world.cloud.events().len();
        rotating.create_job(&job);
        rotating.wait_for_step(step);
        if matches!(fault, RotatorFault::LosesCreated | RotatorFault::LosesCommitted) {
            let answered = |event: &Event| matches!(event, Event::ServiceAnswered { topic, rejection: None, .. } if topic.starts_with("awslabs/") && topic.ends_with(if step == "requesting" { "create" } else { "commit" }));
            rotating.world.cloud.wait_for_after(before, SOON, answered).unwrap();
        }
        rotating.world.gateway.kill();
        rotating.set_fault(None);
        for certificate in rotating.attached() {
            let id = rotating.id_of(&certificate);
            rotating
                .world
                .cloud
                .account()
                .change(|account| account.attach_policy(&id, POLICY))
                .unwrap();
        }
        rotating.world.gateway.start();
        rotating.world.gateway.wait_for("working", |working| *working == true);
        rotating.wait_for_job(&job, outcome);
        in_use = rotating.wait_until_settled(|id| (id == in_use) == (outcome == "FAILED"));
        assert_eq!(rotating.attached(), [in_use.as_str()], "{fault:?}");
    }
}

#[test]
fn each_failure_of_a_rotation_is_told_and_the_certificate_stays() {
    let rotating = Rotating::new(RotatorVersion::Shadow);
    let first = rotating.world.certificate_id().to_string();
    let content = fs::read_to_string(rotating.world.gateway.state("device.pem")).unwrap();
    for (number, (fault, subject, words)) in [
        (
            Some(RotatorFault::RejectsCreate),
            IssuedSubject::OfRequest,
            "refused the request (Pre-conditions not met)",
        ),
        (
            Some(RotatorFault::SendsNonsense),
            IssuedSubject::OfRequest,
            "no certificate for the key",
        ),
        (
            Some(RotatorFault::CertifiesAnotherKey),
            IssuedSubject::OfRequest,
            "no certificate for the key",
        ),
        (
            None,
            IssuedSubject::Default,
            "has a common name that is not a thing name",
        ),
        (
            Some(RotatorFault::RejectsCommit),
            IssuedSubject::OfRequest,
            "has not accepted the new certificate",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let job = format!("rotate-{number}");
        rotating.set_fault(fault);
        rotating
            .world
            .cloud
            .switches()
            .set(|switches| switches.fleet.issued_subject = subject);
        rotating.create_job(&job);
        rotating.wait_for_job(&job, "FAILED");
        rotating.wait_until_settled(|id| id == first);
        let reason = rotating.world.cloud.jobs().status_details(&job, THING)["DeviceFailureReason"].clone();
        assert!(reason.contains(words), "{fault:?}: {reason}");
        assert_eq!(
            fs::read_to_string(rotating.world.gateway.state("device.pem")).unwrap(),
            content
        );
        assert_eq!(rotating.attached(), [first.as_str()], "{fault:?}");
        rotating
            .world
            .gateway
            .wait_for_words("identity.rotation.problem.message", words);
    }

    // The job is cancelled while the new certificate is tried.
    rotating
        .world
        .cloud
        .switches()
        .set(|switches| switches.fleet.issued_subject = IssuedSubject::OfRequest);
    rotating.set_fault(Some(RotatorFault::AttachesNoPolicy));
    rotating.create_job("cancelled");
    rotating.wait_for_step("proving");
    rotating.world.cloud.jobs().cancel("cancelled", true).unwrap();
    rotating.wait_until_settled(|id| id == first);
    assert_eq!(
        fs::read_to_string(rotating.world.gateway.state("device.pem")).unwrap(),
        content
    );
    rotating.keep_only(&first);

    // None of this prevents the next job.
    rotating.set_fault(None);
    rotating.create_job("good");
    rotating.wait_for_job("good", "SUCCEEDED");
    rotating.wait_until_settled(|id| id != first);
}
