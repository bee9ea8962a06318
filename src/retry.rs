//! Tells tasks that wait for their next attempt that an operator wants it now.

use tokio::sync::broadcast;

/// Requests that a task may be behind. One that has missed some takes that for a request of its own.
const KEPT: usize = 64;

/// The task that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryTarget {
    /// The MQTT session.
    Session,
    /// Enrolment.
    Enrolment,
    /// The credentials of this role alias.
    RoleAlias(String),
}

/// The sending end; clones share their listeners.
#[derive(Clone, Debug)]
pub struct Retries(broadcast::Sender<RetryTarget>);

/// The end of one task.
#[derive(Debug)]
pub struct RetryListener {
    target: RetryTarget,
    requests: broadcast::Receiver<RetryTarget>,
}

impl Retries {
    /// A sending end that nobody listens to yet.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }

    /// Asks the task for its next attempt. Nobody may be listening.
    pub fn request(&self, target: RetryTarget) {
        let _ = self.0.send(target);
    }

    /// A listener that hears what is asked of its task from now on.
    pub fn listen(&self, target: RetryTarget) -> RetryListener {
        RetryListener {
            target,
            requests: self.0.subscribe(),
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryListener {
    /// Forgets what was asked so far: an attempt that has just ended answers it.
    pub fn forget(&mut self) {
        self.requests = self.requests.resubscribe();
    }

    /// Waits for a request. Cancel safe.
    pub async fn requested(&mut self) {
        loop {
            match self.requests.recv().await {
                Ok(target) if target != self.target => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_request_wakes_its_own_task_and_an_older_one_nobody() {
        let retries = Retries::new();
        let alias = |name: &str| RetryTarget::RoleAlias(name.to_owned());
        retries.request(RetryTarget::Session);
        let mut session = retries.listen(RetryTarget::Session);
        let mut video = retries.listen(alias("video"));
        assert!(
            timeout(LONG, session.requested()).await.is_err(),
            "asked before it listened"
        );
        retries.request(alias("video"));
        retries.request(alias("s3"));
        timeout(LONG, video.requested()).await.unwrap();
        assert!(timeout(LONG, video.requested()).await.is_err());
        assert!(timeout(LONG, session.requested()).await.is_err());
        retries.request(RetryTarget::Session);
        session.forget();
        assert!(timeout(LONG, session.requested()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_missed_some_wakes_and_without_a_sender_nobody_does() {
        let retries = Retries::new();
        let mut session = retries.listen(RetryTarget::Session);
        for number in 0..2 * KEPT {
            retries.request(RetryTarget::RoleAlias(number.to_string()));
        }
        timeout(LONG, session.requested()).await.unwrap();
        drop(retries);
        assert!(timeout(LONG, session.requested()).await.is_err());
    }
}
