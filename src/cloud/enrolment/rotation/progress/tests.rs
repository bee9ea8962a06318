use super::super::messages::Details;
use super::*;

mod steps;

const THING: &str = "gw";

fn job(is_queued: bool) -> Job {
    Job {
        id: "j".to_owned(),
        is_rotation: true,
        is_queued,
        has_ended: false,
        details: Details::new(),
    }
}

fn ended_job() -> Job {
    Job {
        has_ended: true,
        ..job(false)
    }
}

/// A job whose new certificate the rotator has seen in use.
fn committed_job() -> Job {
    let details = [("certificateRotationProgress".to_owned(), "committed".to_owned())];
    Job {
        details: details.into(),
        ..job(false)
    }
}

fn installing() -> Step {
    Step::Installing {
        certificate: "pem-new".to_owned(),
        previous: "pem-old".to_owned(),
    }
}

fn proving() -> Step {
    Step::Proving {
        certificate_id: "new".to_owned(),
        previous: "pem-old".to_owned(),
    }
}

fn committing() -> Step {
    Step::Committing {
        certificate_id: "new".to_owned(),
        previous: "pem-old".to_owned(),
    }
}

fn returning(reason: &str, has_ended: bool) -> Step {
    Step::Returning {
        certificate_id: "new".to_owned(),
        previous: "pem-old".to_owned(),
        reason: reason.to_owned(),
        has_ended,
    }
}

fn failing() -> Step {
    Step::Failing {
        reason: "broken".to_owned(),
    }
}

fn publish(topic: String, payload: &str) -> Action {
    Action::Publish {
        topic,
        payload: payload.to_owned(),
    }
}

fn describe() -> Action {
    publish(describe_topic(THING, "j"), "{}")
}

fn update(payload: &str) -> Action {
    publish(update_topic(THING, "j"), payload)
}

fn commit() -> Action {
    publish(rotator_topic(THING, "commit"), &commit_payload("j"))
}

fn restore() -> Action {
    Action::Restore {
        previous: "pem-old".to_owned(),
    }
}

/// Returns the actions that end a rotation.
fn report(outcome: Outcome) -> Vec<Action> {
    vec![
        Action::Report {
            job: "j".to_owned(),
            outcome,
        },
        publish(describe_topic(THING, "$next"), "{}"),
    ]
}

fn failed(reason: &str) -> Vec<Action> {
    report(Outcome::Failed(reason.to_owned()))
}

/// A progress with its record in a temporary folder.
struct Rig {
    folder: tempfile::TempDir,
    progress: RotationProgress,
}

impl Rig {
    /// Has no rotation.
    fn idle() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let progress = RotationProgress::load(folder.path().join("rotation.json"));
        Self { folder, progress }
    }

    /// Has a rotation at this step, with one unanswered request.
    fn at(step: Step) -> Self {
        let mut rig = Self::idle();
        rig.progress.record = Some(Record {
            job: "j".to_owned(),
            thing: THING.to_owned(),
            since: 7,
            step: Step::Starting,
        });
        rig.progress.go_to(step);
        rig.progress.tries = 1;
        rig
    }

    /// Returns the record that a restarted daemon would read.
    fn stored(&self) -> Option<Record> {
        RotationProgress::load(self.folder.path().join("rotation.json")).record
    }

    fn stored_step(&self) -> Option<Step> {
        self.stored().map(|record| record.step)
    }

    fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.progress.actions)
    }

    /// Asserts that the progress waits for an answer for this time. The clock of these tests stands still.
    #[track_caller]
    fn assert_waits(&self, limit: Duration) {
        assert_eq!(self.progress.deadline, Some(Instant::now() + limit));
    }

    /// Asserts that neither memory nor the disk has a rotation.
    #[track_caller]
    fn assert_ended(&self) {
        assert_eq!(self.progress.record, None);
        assert_eq!(self.stored(), None);
        assert_eq!(self.progress.deadline, None);
        assert_eq!(self.progress.tries, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_is_loaded_without_actions() {
    let rig = Rig::idle();
    assert_eq!(rig.progress.step(), None);
    let rig = Rig::at(proving());
    let loaded = RotationProgress::load(rig.folder.path().join("rotation.json"));
    assert_eq!(loaded.record, rig.progress.record);
    assert_eq!(loaded.step(), Some(proving()));
    assert_eq!((loaded.tries, loaded.deadline, loaded.resumes), (0, None, false));
    assert!(loaded.actions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_rotation_is_gone_from_the_disk() {
    let mut rig = Rig::at(proving());
    rig.progress.forget();
    assert_eq!(rig.progress.record, None);
    assert_eq!(rig.stored(), None);
    assert!(rig.actions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_recorded_before_the_job_is_described() {
    let mut rig = Rig::at(Step::Requesting);
    rig.progress.fail("broken".to_owned());
    assert_eq!(rig.progress.step(), Some(failing()));
    assert_eq!(rig.stored_step(), Some(failing()));
    assert_eq!(rig.actions(), [describe()]);
    assert!(rig.progress.resumes);
    rig.assert_waits(ANSWER_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn only_a_job_that_requests_a_rotation_and_runs_is_accepted() {
    let other = Job {
        is_rotation: false,
        ..job(true)
    };
    for job in [other, ended_job()] {
        let mut rig = Rig::idle();
        rig.progress.consider(THING, job, 7);
        rig.assert_ended();
        assert!(rig.actions().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_queued_job_is_recorded_and_accepted() {
    let mut rig = Rig::idle();
    rig.progress.consider(THING, job(true), 7);
    let record = rig.stored().unwrap();
    assert_eq!(
        (record.job.as_str(), record.thing.as_str(), record.since),
        ("j", THING, 7)
    );
    assert_eq!(record.step, Step::Starting);
    let started = Action::Report {
        job: "j".to_owned(),
        outcome: Outcome::Started,
    };
    assert_eq!(rig.actions(), [started, update(&start_payload())]);
    rig.assert_waits(ANSWER_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_job_in_progress_without_a_record_fails() {
    let mut rig = Rig::idle();
    rig.progress.consider(THING, job(false), 7);
    let reason = "the gateway has no record of this rotation".to_owned();
    assert_eq!(rig.stored_step(), Some(Step::Failing { reason }));
    assert_eq!(rig.actions(), [describe()]);
}
