//! All jobs, and the operations on their executions. They are kept in memory only.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::execution::{Execution, Status};
use super::notification::{Notification, next_of, notifications};
use super::queue::Queue;
use super::rejection::Rejection;
use super::request::{JobRequest, StepTimer};
use crate::json::set;

/// Status details by name.
type Details = BTreeMap<String, String>;
/// An answer, and the notifications that it causes.
type Answered = Result<(Value, Vec<Notification>), Rejection>;

/// A job to be created.
#[derive(Debug, Clone)]
pub(crate) struct NewJob {
    pub(crate) id: String,
    pub(crate) document: Value,
    pub(crate) things: Vec<String>,
    /// Minutes that an execution may be in progress.
    pub(crate) timeout_minutes: Option<u32>,
}

/// All jobs.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    jobs: BTreeMap<String, NewJob>,
    queues: BTreeMap<String, Queue>,
}

impl Jobs {
    /// CreateJob.
    pub(crate) fn create(&self, job: NewJob) -> Result<Vec<Notification>, Rejection> {
        let mut state = self.0.lock();
        if state.jobs.contains_key(&job.id) {
            return Err(Rejection::new(
                "ResourceAlreadyExists",
                format!("Job {} already exists", job.id),
            ));
        }
        let mut news = Vec::new();
        for thing in &job.things {
            let queue = state.queues.entry(thing.clone()).or_default();
            let before = next_of(queue);
            queue.push(Execution::new(
                &job.id,
                job.document.clone(),
                1,
                crate::json::unix_seconds(),
            ));
            news.extend(notifications(thing, queue, &before));
        }
        state.jobs.insert(job.id.clone(), job);
        Ok(news)
    }

    /// CancelJob. Cancels queued executions, and with `force` those in progress as well.
    pub(crate) fn cancel(&self, job: &str, force: bool) -> Result<Vec<Notification>, Rejection> {
        let mut state = self.0.lock();
        if !state.jobs.contains_key(job) {
            return Err(Rejection::new("ResourceNotFound", format!("There is no job {job}")));
        }
        let mut news = Vec::new();
        for (thing, queue) in &mut state.queues {
            let before = next_of(queue);
            let mut has_changed = false;
            for execution in queue.all_mut().filter(|execution| execution.job == job) {
                let is_cancelled = match execution.status {
                    Status::Queued => true,
                    Status::InProgress => force,
                    _ => false,
                };
                if is_cancelled {
                    execution.change(Status::Canceled, None, crate::json::unix_seconds());
                    has_changed = true;
                }
            }
            if has_changed {
                news.extend(notifications(thing, queue, &before));
            }
        }
        Ok(news)
    }

    /// Returns the things and states of a job's executions.
    pub(crate) fn statuses(&self, job: &str) -> Option<Vec<(String, Status)>> {
        let state = self.0.lock();
        state.jobs.get(job)?;
        let of_thing = |(thing, queue): (&String, &Queue)| {
            let mut executions: Vec<_> = queue.all().filter(|execution| execution.job == job).collect();
            executions.pop().map(|execution| (thing.clone(), execution.status))
        };
        Some(state.queues.iter().filter_map(of_thing).collect())
    }

    /// DescribeJobExecution of the API. Returns the execution in any state.
    pub(crate) fn execution(&self, thing: &str, job: &str) -> Option<Value> {
        let mut state = self.0.lock();
        let execution = state.queues.get_mut(thing)?.find(job, None).ok()?;
        Some(execution.json(thing, false))
    }

    /// The state of an execution, with its details.
    pub(crate) fn status(&self, thing: &str, job: &str) -> Option<(Status, Details)> {
        let mut state = self.0.lock();
        let execution = state.queues.get_mut(thing)?.find(job, None).ok()?;
        Some((execution.status, execution.details.clone()))
    }

    /// The document and the details of an execution that is in progress.
    pub(crate) fn in_progress(&self, thing: &str, job: &str) -> Option<(Value, Details)> {
        let mut state = self.0.lock();
        let execution = state.queues.get_mut(thing)?.find(job, None).ok()?;
        (execution.status == Status::InProgress).then(|| (execution.document.clone(), execution.details.clone()))
    }

    /// UpdateJobExecution of the API: new details of an execution that is in progress.
    pub(crate) fn set_details(&self, thing: &str, job: &str, details: &Details) {
        let mut state = self.0.lock();
        let found = state.queues.get_mut(thing).and_then(|queue| queue.find(job, None).ok());
        if let Some(execution) = found.filter(|execution| execution.status == Status::InProgress) {
            execution.change(Status::InProgress, Some(details), crate::json::unix_seconds());
        }
    }

    /// GetPendingJobExecutions.
    pub(super) fn pending(&self, thing: &str) -> Value {
        let state = self.0.lock();
        let listed = |status| -> Vec<Value> {
            let pending = state.queues.get(thing).map(Queue::pending).unwrap_or_default();
            let of_status = pending.into_iter().filter(|execution| execution.status == status);
            of_status.map(Execution::summary).collect()
        };
        json!({ "inProgressJobs": listed(Status::InProgress), "queuedJobs": listed(Status::Queued) })
    }

    /// StartNextPendingJobExecution.
    pub(super) fn start_next(&self, thing: &str, request: &JobRequest, minute: Duration) -> Answered {
        let (details, timer) = (request.details()?, request.step_timer(minute)?);
        let mut state = self.0.lock();
        let State { jobs, queues } = &mut *state;
        let Some(queue) = queues.get_mut(thing) else {
            return Ok((json!({}), Vec::new()));
        };
        let before = next_of(queue);
        let Some(execution) = queue.next() else {
            return Ok((json!({}), Vec::new()));
        };
        let is_started = execution.status == Status::Queued;
        if is_started {
            start(execution, jobs, minute);
            execution.change(Status::InProgress, details, crate::json::unix_seconds());
        }
        set_timer(execution, timer);
        let answer = json!({ "execution": execution.json(thing, true) });
        let news = match is_started {
            true => notifications(thing, queue, &before),
            false => Vec::new(),
        };
        Ok((answer, news))
    }

    /// DescribeJobExecution over MQTT.
    pub(super) fn describe(&self, thing: &str, job: &str, request: &JobRequest) -> Result<Value, Rejection> {
        let mut state = self.0.lock();
        let queue = state.queues.entry(thing.to_owned()).or_default();
        let with_document = request.includes_document(true);
        if job == "$next" {
            let next = queue.next().map(|next| next.json(thing, with_document));
            return Ok(next.map_or(json!({}), |next| json!({ "execution": next })));
        }
        let execution = queue.find(job, request.execution_number)?;
        match execution.status.is_terminal() {
            true => Err(Rejection::new(
                "TerminalStateReached",
                format!("The execution of job {job} has ended"),
            )),
            false => Ok(json!({ "execution": execution.json(thing, with_document) })),
        }
    }

    /// UpdateJobExecution.
    pub(super) fn update(&self, thing: &str, job: &str, request: &JobRequest, minute: Duration) -> Answered {
        let (status, details) = (request.status()?, request.details()?);
        let timer = request.step_timer(minute)?;
        let mut state = self.0.lock();
        let State { jobs, queues } = &mut *state;
        let queue = queues.entry(thing.to_owned()).or_default();
        let before = next_of(queue);
        let execution = queue.find(job, request.execution_number)?;
        if execution.status.is_terminal() {
            let message = format!("{} cannot become {}", execution.status.name(), status.name());
            return Err(Rejection::new("InvalidStateTransition", message).with_state(execution.state()));
        }
        if request
            .expected_version
            .is_some_and(|expected| expected != execution.version)
        {
            let message = format!("The version of the execution is {}", execution.version);
            return Err(Rejection::new("VersionMismatch", message).with_state(execution.state()));
        }
        if execution.status == Status::Queued && status == Status::InProgress {
            start(execution, jobs, minute);
        }
        execution.change(status, details, crate::json::unix_seconds());
        if !status.is_terminal() {
            set_timer(execution, timer);
        }
        let mut answer = json!({});
        if request.include_job_execution_state {
            set(&mut answer, "executionState", execution.state());
        }
        if request.includes_document(false) {
            set(&mut answer, "jobDocument", execution.document.clone());
        }
        Ok((answer, notifications(thing, queue, &before)))
    }

    /// Returns when the next execution of a thing times out.
    pub(super) fn next_timer(&self, thing: &str) -> Option<Instant> {
        let state = self.0.lock();
        state.queues.get(thing)?.all().filter_map(Execution::timer).min()
    }

    /// Ends the executions of a thing that have timed out.
    pub(super) fn expire(&self, thing: &str, now: Instant) -> Vec<Notification> {
        let mut state = self.0.lock();
        let Some(queue) = state.queues.get_mut(thing) else {
            return Vec::new();
        };
        let before = next_of(queue);
        let mut has_changed = false;
        for execution in queue.all_mut() {
            if execution.timer().is_some_and(|timer| timer <= now) {
                execution.change(Status::TimedOut, None, crate::json::unix_seconds());
                has_changed = true;
            }
        }
        match has_changed {
            true => notifications(thing, queue, &before),
            false => Vec::new(),
        }
    }
}

/// Starts the timer that the job specifies for its executions.
fn start(execution: &mut Execution, jobs: &BTreeMap<String, NewJob>, minute: Duration) {
    let minutes = jobs.get(&execution.job).and_then(|job| job.timeout_minutes);
    execution.job_timer = minutes.map(|minutes| Instant::now() + minute * minutes);
}

fn set_timer(execution: &mut Execution, timer: StepTimer) {
    execution.step_timer = match timer {
        StepTimer::Keep => execution.step_timer,
        StepTimer::End => None,
        StepTimer::Start(duration) => Some(Instant::now() + duration),
    };
}
