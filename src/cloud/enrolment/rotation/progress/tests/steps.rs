//! How a step continues, and how it ends or goes back.

use super::*;

/// A description that was not asked for in order to continue must not repeat a request.
#[tokio::test(start_paused = true)]
async fn a_description_continues_the_step_once_and_only_if_it_was_asked_for() {
    let mut rig = Rig::at(Step::Starting);
    rig.progress.go_on(&job(false), Step::Starting);
    assert!(rig.actions().is_empty());
    rig.progress.describe();
    assert_eq!(rig.actions(), [describe()]);
    rig.progress.go_on(&job(false), Step::Starting);
    assert_eq!(rig.actions(), [update(&start_payload())]);
    rig.progress.go_on(&job(false), Step::Starting);
    assert!(rig.actions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_step_continues_with_its_own_request() {
    let end = |reason| update(&end_payload(&Details::new(), reason));
    let request = Action::Request { job: "j".to_owned() };
    for (step, expected, limit) in [
        (Step::Starting, vec![update(&start_payload())], Some(ANSWER_TIMEOUT)),
        (Step::Requesting, vec![request], Some(CREATE_TIMEOUT)),
        (committing(), vec![commit()], Some(ANSWER_TIMEOUT)),
        (Step::Succeeding, vec![end(None)], Some(ANSWER_TIMEOUT)),
        (failing(), vec![end(Some("broken"))], Some(ANSWER_TIMEOUT)),
        (installing(), vec![], None),
        (proving(), vec![], None),
        (returning("broken", false), vec![], None),
    ] {
        let mut rig = Rig::at(step.clone());
        rig.progress.resumes = true;
        rig.progress.go_on(&job(false), step.clone());
        assert_eq!(rig.actions(), expected, "{step:?}");
        assert_eq!(
            rig.progress.deadline,
            limit.map(|limit| Instant::now() + limit),
            "{step:?}"
        );
        assert_eq!(rig.progress.step(), Some(step.clone()));
        assert_eq!(rig.progress.tries, 1, "{step:?}: the same step counts on");
    }
}

/// The rotator may have seen the new certificate in use, although its answer did not arrive.
#[tokio::test(start_paused = true)]
async fn a_job_with_a_committed_certificate_succeeds() {
    let mut rig = Rig::at(committing());
    rig.progress.resumes = true;
    let job = committed_job();
    rig.progress.go_on(&job, committing());
    assert_eq!(rig.stored_step(), Some(Step::Succeeding));
    assert_eq!(rig.actions(), [update(&end_payload(&job.details, None))]);
    rig.assert_waits(ANSWER_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn nothing_continues_without_a_rotation() {
    let mut rig = Rig::idle();
    rig.progress.resumes = true;
    rig.progress.go_on(&job(false), Step::Starting);
    rig.progress.request();
    rig.progress.commit();
    rig.progress.describe();
    rig.progress.go_to(Step::Requesting);
    rig.progress.finish(Outcome::Succeeded);
    rig.assert_ended();
    assert!(rig.actions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_ended_ends_the_rotation_unless_the_previous_certificate_must_return() {
    let reason = "the job has ended at AWS: it was cancelled, or has timed out";
    for (step, expected) in [
        (Step::Starting, failed(reason)),
        (Step::Requesting, failed(reason)),
        (installing(), failed(reason)),
        (failing(), failed("broken")),
        (Step::Succeeding, report(Outcome::Succeeded)),
    ] {
        let mut rig = Rig::at(step.clone());
        rig.progress.go_on(&ended_job(), step.clone());
        assert_eq!(rig.actions(), expected, "{step:?}");
        rig.assert_ended();
    }
    for step in [proving(), committing()] {
        let mut rig = Rig::at(step.clone());
        rig.progress.go_on(&ended_job(), step);
        assert_eq!(rig.stored_step(), Some(returning(reason, true)));
        assert_eq!(rig.actions(), [restore()]);
    }
    let mut rig = Rig::at(returning("broken", false));
    rig.progress.go_on(&ended_job(), returning("broken", false));
    assert_eq!(rig.stored_step(), Some(returning("broken", true)));
    assert!(rig.actions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_an_installed_certificate_is_replaced_by_the_previous_one() {
    for step in [proving(), committing()] {
        let mut rig = Rig::at(step.clone());
        rig.progress.deadline = Some(Instant::now());
        rig.progress.go_back(step, "broken".to_owned(), false);
        assert_eq!(rig.stored_step(), Some(returning("broken", false)));
        assert_eq!(rig.actions(), [restore()]);
        assert_eq!(rig.progress.deadline, None);
    }
    for step in [
        Step::Starting,
        Step::Requesting,
        installing(),
        Step::Succeeding,
        failing(),
    ] {
        let mut rig = Rig::at(step.clone());
        rig.progress.go_back(step.clone(), "broken".to_owned(), false);
        assert_eq!(rig.stored_step(), Some(step));
        assert!(rig.actions().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_return_only_a_running_job_is_informed() {
    let mut rig = Rig::at(returning("broken", true));
    rig.progress.returned("broken".to_owned(), true);
    assert_eq!(rig.actions(), failed("broken"));
    rig.assert_ended();
    let mut rig = Rig::at(returning("broken", false));
    rig.progress.returned("broken".to_owned(), false);
    assert_eq!(rig.stored_step(), Some(failing()));
    assert_eq!(rig.actions(), [describe()]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_counts_as_another_try_of_its_step() {
    let mut rig = Rig::at(Step::Starting);
    rig.progress.request();
    assert_eq!(rig.stored_step(), Some(Step::Requesting));
    assert_eq!(rig.progress.tries, 0);
    rig.assert_waits(CREATE_TIMEOUT);
    rig.progress.tries = 1;
    rig.progress.request();
    assert_eq!(rig.progress.tries, 1);
    let request = Action::Request { job: "j".to_owned() };
    assert_eq!(rig.actions(), [request.clone(), request]);
}
