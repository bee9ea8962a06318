//! The executions of one thing.

use super::execution::{Execution, Status};
use super::rejection::Rejection;

/// The executions of one thing, in the order in which they were queued.
#[derive(Debug, Default)]
pub(super) struct Queue(Vec<Execution>);

impl Queue {
    pub(super) fn push(&mut self, execution: Execution) {
        self.0.push(execution);
    }

    /// Returns the executions that have not ended: those in progress before queued ones, each in order.
    pub(super) fn pending(&self) -> Vec<&Execution> {
        let of = |status| self.0.iter().filter(move |execution| execution.status == status);
        of(Status::InProgress).chain(of(Status::Queued)).collect()
    }

    /// Returns the latest execution of a job, or the one with this number.
    pub(super) fn find(&mut self, job: &str, number: Option<u64>) -> Result<&mut Execution, Rejection> {
        let wanted =
            |execution: &&mut Execution| execution.job == job && number.is_none_or(|number| execution.number == number);
        let found = self.0.iter_mut().rev().find(wanted);
        found.ok_or_else(|| Rejection::new("ResourceNotFound", format!("There is no execution of job {job}")))
    }

    /// Returns the first pending execution.
    pub(super) fn next(&mut self) -> Option<&mut Execution> {
        let next = self.pending().first().map(|next| (next.job.clone(), next.number))?;
        self.0
            .iter_mut()
            .find(|execution| (&execution.job, execution.number) == (&next.0, next.1))
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Execution> {
        self.0.iter_mut()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Execution> {
        self.0.iter()
    }
}
