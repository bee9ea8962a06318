//! The life of jobs, as the device of one thing sees it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::execution::Status;
use super::request::JobRequest;
use super::store::{Jobs, NewJob};
use super::topic::{Operation, operation};

const MINUTE: Duration = Duration::from_secs(60);

fn jobs(ids: &[&str]) -> Jobs {
    let jobs = Jobs::default();
    for id in ids {
        let job = NewJob {
            id: (*id).to_owned(),
            document: json!({ "of": id }),
            things: vec!["gw-1".to_owned()],
            timeout_minutes: Some(5),
        };
        jobs.create(job).unwrap();
    }
    jobs
}

fn request(document: &Value) -> JobRequest {
    JobRequest::read(document.to_string().as_bytes()).unwrap()
}

/// Updates an execution; returns the code of a rejection, and the ends of the topics of the notifications.
fn update(jobs: &Jobs, job: &str, document: &Value) -> Result<Vec<String>, String> {
    match jobs.update("gw-1", job, &request(document), MINUTE) {
        Ok((_, news)) => Ok(ends(&news)),
        Err(rejection) => Err(rejection.payload()["code"].as_str().unwrap().to_owned()),
    }
}

fn ends(news: &[super::notification::Notification]) -> Vec<String> {
    let end = |topic: &str| topic.rsplit('/').next().unwrap().to_owned();
    news.iter().map(|notification| end(&notification.topic)).collect()
}

#[test]
fn an_execution_goes_through_its_states_and_no_others() {
    let jobs = jobs(&["a", "b"]);
    assert_eq!(jobs.pending("gw-1")["queuedJobs"].as_array().unwrap().len(), 2);
    let (started, news) = jobs
        .start_next("gw-1", &request(&json!({ "statusDetails": { "step": "1" } })), MINUTE)
        .unwrap();
    let execution = &started["execution"];
    assert_eq!(
        (&execution["jobId"], &execution["status"]),
        (&json!("a"), &json!("IN_PROGRESS"))
    );
    assert_eq!(
        (&execution["versionNumber"], &execution["jobDocument"]),
        (&json!(2), &json!({ "of": "a" }))
    );
    assert_eq!(execution["statusDetails"], json!({ "step": "1" }));
    assert_eq!(ends(&news), ["notify"], "the first one is the same");
    // An execution in progress is returned again unchanged.
    let (again, news) = jobs
        .start_next("gw-1", &request(&json!({ "statusDetails": { "step": "2" } })), MINUTE)
        .unwrap();
    assert_eq!(again["execution"]["statusDetails"], json!({ "step": "1" }));
    assert_eq!(ends(&news), [""; 0]);

    let steps = [
        (json!({}), Err("InvalidRequest")),
        (json!({ "status": "QUEUED" }), Err("InvalidRequest")),
        (json!({ "status": "DONE" }), Err("InvalidRequest")),
        (
            json!({ "status": "SUCCEEDED", "statusDetails": { "a b": "c" } }),
            Err("InvalidRequest"),
        ),
        (
            json!({ "status": "IN_PROGRESS", "stepTimeoutInMinutes": 0 }),
            Err("InvalidRequest"),
        ),
        (
            json!({ "status": "IN_PROGRESS", "expectedVersion": 1 }),
            Err("VersionMismatch"),
        ),
        (
            json!({ "status": "IN_PROGRESS", "executionNumber": 2 }),
            Err("ResourceNotFound"),
        ),
        (
            json!({ "status": "IN_PROGRESS", "expectedVersion": 2 }),
            Ok(vec!["notify"]),
        ),
        (json!({ "status": "SUCCEEDED" }), Ok(vec!["notify", "notify-next"])),
        (json!({ "status": "IN_PROGRESS" }), Err("InvalidStateTransition")),
    ];
    for (document, expected) in steps {
        let expected = expected
            .map(|ends| ends.into_iter().map(str::to_owned).collect())
            .map_err(str::to_owned);
        assert_eq!(update(&jobs, "a", &document), expected, "{document}");
    }
    let ended = jobs.describe("gw-1", "a", &request(&json!({}))).unwrap_err();
    assert_eq!(ended.payload()["code"], "TerminalStateReached");
    let next = jobs
        .describe("gw-1", "$next", &request(&json!({ "includeJobDocument": false })))
        .unwrap();
    assert_eq!(
        (&next["execution"]["jobId"], &next["execution"]["jobDocument"]),
        (&json!("b"), &Value::Null)
    );
    assert_eq!(
        update(&jobs, "c", &json!({ "status": "FAILED" })),
        Err("ResourceNotFound".to_owned())
    );
    let state = jobs
        .update("gw-1", "a", &request(&json!({ "status": "FAILED" })), MINUTE)
        .unwrap_err();
    assert_eq!(state.payload()["executionState"]["status"], "SUCCEEDED");
    // A device may reject a job that it has not started.
    assert_eq!(
        update(&jobs, "b", &json!({ "status": "REJECTED" })).unwrap(),
        ["notify", "notify-next"]
    );
    assert_eq!(
        jobs.start_next("gw-1", &request(&json!({})), MINUTE).unwrap().0,
        json!({})
    );
    assert_eq!(jobs.describe("gw-1", "$next", &request(&json!({}))).unwrap(), json!({}));
}

#[test]
fn a_timer_ends_an_execution_and_a_step_keeps_it_alive() {
    // The document of the update, and after how many minutes the execution has timed out.
    for (document, minutes) in [
        (json!({ "status": "IN_PROGRESS" }), 5),
        (json!({ "status": "IN_PROGRESS", "stepTimeoutInMinutes": 2 }), 2),
        (json!({ "status": "IN_PROGRESS", "stepTimeoutInMinutes": 9 }), 5),
        (json!({ "status": "IN_PROGRESS", "stepTimeoutInMinutes": -1 }), 5),
    ] {
        let jobs = jobs(&["a"]);
        update(&jobs, "a", &document).unwrap();
        let started = Instant::now();
        let status = || jobs.statuses("a").unwrap()[0].1;
        assert!(
            jobs.expire("gw-1", started + MINUTE * (minutes - 1)).is_empty(),
            "{document}"
        );
        assert_eq!(status(), Status::InProgress);
        assert_eq!(
            ends(&jobs.expire("gw-1", started + MINUTE * (minutes + 1))),
            ["notify", "notify-next"]
        );
        assert_eq!(status(), Status::TimedOut);
        assert!(jobs.next_timer("gw-1").is_none());
    }
}

#[test]
fn a_cancelled_job_is_gone_for_its_device_unless_it_is_in_progress() {
    let jobs = jobs(&["a", "b"]);
    jobs.start_next("gw-1", &request(&json!({})), MINUTE).unwrap();
    assert_eq!(ends(&jobs.cancel("b", false).unwrap()), ["notify"]);
    assert_eq!(ends(&jobs.cancel("a", false).unwrap()), [""; 0], "it is in progress");
    assert_eq!(ends(&jobs.cancel("a", true).unwrap()), ["notify", "notify-next"]);
    assert_eq!(jobs.execution("gw-1", "a").unwrap()["status"], "CANCELED");
    assert!(jobs.cancel("c", true).is_err());
}

#[test]
fn only_requests_are_operations() {
    let of = |operation| Some(("t".to_owned(), operation));
    for (topic, expected) in [
        ("$aws/things/t/jobs/get", of(Operation::GetPending)),
        ("$aws/things/t/jobs/start-next", of(Operation::StartNext)),
        (
            "$aws/things/t/jobs/$next/get",
            of(Operation::Describe("$next".to_owned())),
        ),
        ("$aws/things/t/jobs/7/get", of(Operation::Describe("7".to_owned()))),
        ("$aws/things/t/jobs/7/update", of(Operation::Update("7".to_owned()))),
        ("$aws/things/t/jobs/7/put", of(Operation::Unknown)),
        ("$aws/things/t/jobs/7/update/accepted", None),
        ("$aws/things/t/jobs/get/rejected", None),
        ("$aws/things/t/jobs/notify", None),
        ("$aws/things/t/jobs/notify-next", None),
        ("$aws/things/t/shadow/get", None),
    ] {
        assert_eq!(operation(topic), expected, "{topic}");
    }
}
