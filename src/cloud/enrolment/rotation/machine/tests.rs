use super::super::messages::{Details, Job};
use super::*;

mod silence;

const OLD: &str = "old";
const NEW: &str = "new";

/// A machine with its record in a temporary folder, and the actions that it has taken.
struct Rig {
    folder: tempfile::TempDir,
    machine: Rotation,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = Rotation::load(folder.path().join("rotation.json"));
        Self { folder, machine }
    }

    /// Simulates kill -9 and a start.
    fn restart(&mut self) -> Vec<String> {
        self.machine = Rotation::load(self.folder.path().join("rotation.json"));
        self.done()
    }

    /// Returns a short description of the actions.
    fn done(&mut self) -> Vec<String> {
        let short = |action: Action| match action {
            Action::Publish { topic, payload } => {
                let topic = topic
                    .replace("$aws/things/gw/jobs/", "")
                    .replace("awslabs/things/gw/certificate/", "");
                let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
                format!("{topic} {}", payload["status"].as_str().unwrap_or_default())
                    .trim()
                    .to_owned()
            }
            Action::Request { .. } => "request".to_owned(),
            Action::Install { .. } => "install".to_owned(),
            Action::Restore { previous } => format!("restore {previous}"),
            Action::Report { outcome, .. } => match outcome {
                Outcome::Started => "started".to_owned(),
                Outcome::Succeeded => "succeeded".to_owned(),
                Outcome::Failed(_) => "failed".to_owned(),
            },
        };
        self.machine.take_actions().into_iter().map(short).collect()
    }

    fn connected(&mut self, certificate: &str) -> Vec<String> {
        self.machine.disconnected();
        self.machine.connected("gw", certificate);
        self.done()
    }

    fn receive(&mut self, incoming: Incoming) -> Vec<String> {
        self.machine.receive("gw", incoming, Some("pem-old".to_owned()), 7);
        self.done()
    }

    fn time_up(&mut self) -> Vec<String> {
        assert!(self.machine.deadline().is_some(), "nothing is waited for");
        self.machine.time_up();
        self.done()
    }

    fn step(&self) -> &'static str {
        self.machine.record().map_or("none", |record| record.step.name())
    }

    /// Runs a rotation up to the step with this name.
    fn until(step: &str) -> Self {
        let mut rig = Self::new();
        rig.connected(OLD);
        type Advance = fn(&mut Rig) -> Vec<String>;
        let advances: [Advance; 6] = [
            |rig| rig.receive(Incoming::Next(Some(job("QUEUED")))),
            |rig| rig.receive(Incoming::Updated("j".to_owned())),
            |rig| rig.receive(Incoming::Created("pem-new".to_owned())),
            |rig| {
                rig.machine.installed(NEW);
                rig.done()
            },
            |rig| rig.connected(NEW),
            |rig| rig.receive(Incoming::Committed),
        ];
        for advance in advances {
            if rig.step() == step {
                return rig;
            }
            advance(&mut rig);
        }
        assert_eq!(rig.step(), step);
        rig
    }
}

fn job(status: &str) -> Job {
    Job {
        id: "j".to_owned(),
        is_rotation: true,
        is_queued: status == "QUEUED",
        has_ended: !matches!(status, "QUEUED" | "IN_PROGRESS"),
        details: Details::new(),
    }
}

fn described(status: &str) -> Incoming {
    Incoming::Described(job(status))
}

fn updated() -> Incoming {
    Incoming::Updated("j".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_rotation_goes_from_the_job_to_its_end() {
    let mut rig = Rig::new();
    assert_eq!(rig.connected(OLD), ["$next/get"]);
    assert_eq!(
        rig.receive(Incoming::Next(Some(job("QUEUED")))),
        ["started", "j/update IN_PROGRESS"]
    );
    assert_eq!(rig.receive(updated()), ["request"]);
    assert_eq!(rig.receive(Incoming::Created("pem-new".to_owned())), ["install"]);
    rig.machine.installed(NEW);
    assert_eq!(rig.connected(NEW), ["commit"]);
    assert_eq!(rig.receive(Incoming::Committed), ["j/get"]);
    assert_eq!(rig.receive(described("IN_PROGRESS")), ["j/update SUCCEEDED"]);
    assert_eq!(rig.receive(updated()), ["succeeded", "$next/get"]);
    assert_eq!((rig.step(), rig.machine.deadline()), ("none", None));
    assert!(rig.restart().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_a_job_that_asks_for_a_rotation_begins_one() {
    let other = Job {
        is_rotation: false,
        ..job("QUEUED")
    };
    for (incoming, step) in [
        (Incoming::Next(None), "none"),
        (Incoming::Next(Some(other)), "none"),
        (Incoming::Next(Some(job("SUCCEEDED"))), "none"),
        (updated(), "none"),
        (Incoming::Created("pem".to_owned()), "none"),
        (Incoming::Committed, "none"),
        (Incoming::NotCommitted("no".to_owned()), "none"),
        (described("QUEUED"), "starting"),
        (Incoming::Next(Some(job("QUEUED"))), "starting"),
        // The job was accepted, but there is no record of it.
        (Incoming::Next(Some(job("IN_PROGRESS"))), "failing"),
    ] {
        let mut rig = Rig::new();
        rig.connected(OLD);
        rig.receive(incoming.clone());
        assert_eq!(rig.step(), step, "{incoming:?}");
    }
}

/// After a power cut at each step, the next start continues correctly.
#[tokio::test(start_paused = true)]
async fn each_step_continues_after_a_power_cut() {
    for (step, at_start, certificate, then, answered) in [
        ("starting", "", OLD, "j/get", "j/update IN_PROGRESS"),
        ("requesting", "", OLD, "j/get", "request"),
        ("installing", "install", OLD, "", ""),
        ("proving", "", OLD, "", ""),
        ("proving", "", NEW, "commit", ""),
        ("committing", "", NEW, "j/get", "commit"),
        ("committing", "", OLD, "", ""),
        ("succeeding", "", NEW, "j/get", "j/update SUCCEEDED"),
    ] {
        let mut rig = Rig::until(step);
        assert_eq!(rig.restart().join(","), at_start, "{step}");
        assert_eq!(rig.connected(certificate).join(","), then, "{step}");
        assert_eq!(rig.receive(described("IN_PROGRESS")).join(","), answered, "{step}");
    }
    // The rotator had committed before the power cut, and the job's details show that.
    let mut rig = Rig::until("committing");
    rig.restart();
    rig.connected(NEW);
    let mut committed = job("IN_PROGRESS");
    committed
        .details
        .insert("certificateRotationProgress".to_owned(), "committed".to_owned());
    assert_eq!(rig.receive(Incoming::Described(committed)), ["j/update SUCCEEDED"]);
}

/// After each failure the previous certificate is restored before the failure is reported.
#[tokio::test(start_paused = true)]
async fn each_failure_restores_the_previous_certificate_and_is_reported() {
    let refused = || "Pre-conditions not met".to_owned();
    let mut rig = Rig::until("requesting");
    assert_eq!(rig.receive(Incoming::NotCreated(refused())), ["j/get"]);
    assert_eq!(rig.receive(described("IN_PROGRESS")), ["j/update FAILED"]);
    assert_eq!(rig.receive(updated()), ["failed", "$next/get"]);

    let mut rig = Rig::until("installing");
    rig.machine.fail("a certificate for another key".to_owned());
    assert_eq!((rig.done(), rig.step()), (vec!["j/get".to_owned()], "failing"));

    let mut rig = Rig::until("committing");
    assert_eq!(rig.receive(Incoming::NotCommitted(refused())), ["restore pem-old"]);
    rig.machine.restored();
    assert_eq!((rig.done(), rig.step()), (vec![], "returning"));
    assert_eq!(
        rig.restart(),
        ["restore pem-old"],
        "a power cut before the file was written"
    );
    rig.machine.restored();
    assert!(rig.connected(NEW).is_empty());
    assert_eq!(rig.connected(OLD), ["j/get"]);
    assert_eq!(rig.receive(described("IN_PROGRESS")), ["j/update FAILED"]);
    assert_eq!(
        rig.receive(Incoming::NotUpdated("j".to_owned())),
        ["failed", "$next/get"]
    );

    // The session has never left the old certificate.
    let mut rig = Rig::until("proving");
    assert_eq!(rig.time_up(), ["restore pem-old"]);
    rig.machine.restored();
    assert_eq!((rig.done(), rig.step()), (vec!["j/get".to_owned()], "failing"));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_at_aws_ends_here() {
    for (step, expected) in [
        ("starting", "failed,$next/get"),
        ("requesting", "failed,$next/get"),
        ("installing", "failed,$next/get"),
        ("proving", "restore pem-old"),
        ("committing", "restore pem-old"),
        ("succeeding", "succeeded,$next/get"),
    ] {
        for incoming in [
            described("CANCELED"),
            described("TIMED_OUT"),
            Incoming::NotDescribed("j".to_owned()),
        ] {
            let mut rig = Rig::until(step);
            // A notification without the job makes the machine ask for the job.
            assert_eq!(rig.receive(Incoming::Next(None)), ["j/get"], "{step}");
            assert_eq!(rig.receive(incoming).join(","), expected, "{step}");
        }
    }
    let mut rig = Rig::until("committing");
    rig.receive(described("CANCELED"));
    rig.machine.restored();
    assert_eq!(rig.connected(OLD), ["failed", "$next/get"], "the job need not be told");
}

/// Checking a job that continues repeats no request, because the rotator must not receive a second one.
#[tokio::test(start_paused = true)]
async fn a_look_at_the_job_repeats_nothing() {
    for step in ["starting", "requesting", "installing", "proving", "committing"] {
        let mut rig = Rig::until(step);
        rig.receive(Incoming::Next(None));
        assert!(rig.receive(described("IN_PROGRESS")).is_empty(), "{step}");
        assert!(
            rig.receive(Incoming::Next(Some(job("IN_PROGRESS")))).is_empty(),
            "{step}"
        );
        assert_eq!(rig.step(), step);
    }
}
