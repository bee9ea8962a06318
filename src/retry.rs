//! Requests of operators that a waiting task makes its next attempt now.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::timeout;

/// Number of requests that are buffered for a task. A task that has missed some assumes that one was for it.
const CAPACITY: usize = 64;

/// The task that a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryTarget {
    /// The MQTT session.
    Session,
    /// Enrolment, if a certificate is due.
    Enrolment,
    /// Enrolment, whether a certificate is due or not.
    Renewal,
    /// The task that refreshes the credentials of this role alias.
    RoleAlias(String),
    /// The task that requests the web identity tokens for this audience.
    WebToken(String),
    /// Key, signing request and certificate file.
    Identity,
    /// The credentials files.
    CredentialsFiles,
    /// The listeners for programs, and their token files.
    Listeners,
}

/// The sending end of retry requests. Clones share their listeners.
#[derive(Clone, Debug)]
pub struct Retries(broadcast::Sender<RetryTarget>);

/// The receiving end of one task.
#[derive(Debug)]
pub struct RetryListener {
    target: RetryTarget,
    requests: broadcast::Receiver<RetryTarget>,
}

impl Retries {
    /// Creates a sending end without listeners.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    /// Requests that a task makes its next attempt now. Has no effect if the task does not exist.
    pub fn request(&self, target: RetryTarget) {
        let _ = self.0.send(target);
    }

    /// Returns a listener for requests to a task from now on.
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
    /// Discards all requests so far. To be called after an attempt, which answers them.
    pub fn forget(&mut self) {
        self.requests = self.requests.resubscribe();
    }

    /// Waits for this time, or until a request comes. Earlier requests do not count.
    pub async fn wait(&mut self, time: Duration) {
        self.forget();
        // Both ends of the wait lead to the next attempt.
        let _ = timeout(time, self.requested()).await;
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
    use tokio::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_request_wakes_its_own_task_unless_it_is_older_than_the_listener() {
        let retries = Retries::new();
        let alias = |name: &str| RetryTarget::RoleAlias(name.to_owned());
        retries.request(RetryTarget::Session);
        let mut session = retries.listen(RetryTarget::Session);
        let mut video = retries.listen(alias("video"));
        assert!(
            timeout(LONG, session.requested()).await.is_err(),
            "requested before it listened"
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
    async fn a_wait_ends_in_time_or_with_a_later_request_for_its_task() {
        let retries = Retries::new();
        let targets = [
            RetryTarget::Session,
            RetryTarget::Enrolment,
            RetryTarget::Renewal,
            RetryTarget::Identity,
            RetryTarget::CredentialsFiles,
            RetryTarget::Listeners,
            RetryTarget::RoleAlias("a".to_owned()),
            RetryTarget::RoleAlias("b".to_owned()),
            RetryTarget::WebToken("a".to_owned()),
            RetryTarget::WebToken("b".to_owned()),
        ];
        for target in &targets {
            for requested in &targets {
                let mut listener = retries.listen(target.clone());
                // It is older than the wait.
                retries.request(target.clone());
                let request = async {
                    tokio::time::sleep(LONG / 4).await;
                    retries.request(requested.clone());
                };
                let begun = Instant::now();
                tokio::join!(listener.wait(LONG), request);
                let ended_early = begun.elapsed() < LONG / 2;
                assert_eq!(ended_early, target == requested, "{target:?} {requested:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_wakes_after_missed_requests_but_never_without_a_sender() {
        let retries = Retries::new();
        let mut session = retries.listen(RetryTarget::Session);
        for number in 0..2 * CAPACITY {
            retries.request(RetryTarget::RoleAlias(number.to_string()));
        }
        timeout(LONG, session.requested()).await.unwrap();
        drop(retries);
        assert!(timeout(LONG, session.requested()).await.is_err());
    }
}
