//! One attempt to connect: as whom, what to say of it, and when to make the next one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{CONNECT_INTERVAL, RETRY_INTERVAL, STABLE, Session, ending, problems, tls};
use crate::cloud::mqtt::{ConnectError, Connection, Lost, Options, ReasonCode, Terms};
use crate::identity::{Identity, SendChain};
use crate::messages::Message;
use crate::problem::Problem;

impl Session {
    /// One attempt; `None` when the daemon ends meanwhile.
    pub(super) async fn connect(
        &mut self,
        identity: &Arc<Identity>,
    ) -> Option<Result<(Connection, Terms), ConnectError>> {
        let thing = identity.certificate.thing_name.clone();
        let (mut opening, mut started) = (self.open(identity, self.traffic.presence.will(&thing)), Instant::now());
        self.attempted = started;
        self.reporters.connecting(thing.clone());
        self.inputs.recovery.mark_heard();
        // An attempt that hangs since before the network came back is given up, but only once. A certificate that AWS has never
        // accepted may hang because of just-in-time provisioning, which has a pace of its own.
        let mut may_begin_anew = self.provisioning.was_accepted() || !self.is_newest(identity);
        let outcome = loop {
            let pinned = std::pin::pin!(opening);
            tokio::select! {
                outcome = pinned => break outcome,
                () = self.inputs.recovery.worth_beginning_anew(started), if may_begin_anew => {}
                () = ending(&mut self.inputs.shutdown) => return None,
            }
            may_begin_anew = false;
            (opening, started) = (self.open(identity, self.traffic.presence.will(&thing)), Instant::now());
        };
        self.reporters.attempted();
        Some(outcome.inspect(|(_, granted)| self.accepted(identity, *granted)))
    }

    /// A connection as `identity`, which borrows nothing from the session.
    pub(super) fn open(
        &self,
        identity: &Identity,
        will: Option<Message>,
    ) -> impl Future<Output = Result<(Connection, Terms), ConnectError>> + Send + use<> {
        let chain = match self.is_newest(identity) {
            true => self.provisioning.send_chain(),
            false => SendChain::Leaf,
        };
        let tls = tls(&self.endpoint, identity, &self.roots, chain, &self.clock);
        let endpoint = self.endpoint.clone();
        let options = Options {
            client_id: identity.certificate.thing_name.clone(),
            clean_start: self.traffic.subscriber.wants_clean_start(),
            keep_alive: self.mqtt.keep_alive,
            session_expiry: self.mqtt.session_expiry,
            will,
        };
        async move { Connection::open(&endpoint, tls.map_err(ConnectError::Unreachable)?, &options).await }
    }

    /// Whether it is the certificate that provisioning is about.
    pub(super) fn is_newest(&self, identity: &Identity) -> bool {
        self.provisioning.is_about(&identity.certificate.id)
    }

    /// CONNACK: AWS has accepted it.
    pub(super) fn accepted(&mut self, identity: &Arc<Identity>, granted: Terms) {
        if self.is_newest(identity) {
            self.provisioning.accepted();
            self.tell_who_is_accepted(identity);
            self.reporters.provisioning(&self.provisioning, None, None);
        }
        self.proven.keep(&identity.certificate);
        self.outage.end();
        self.successor.accepted_one();
        self.recovery.announce_success();
        // Not to ourselves.
        self.inputs.recovery.mark_heard();
        let client_id = identity.certificate.thing_name.clone();
        let problem = self.standing_problem(&client_id);
        self.reporters
            .connected(client_id, &identity.certificate.id, granted, problem);
        self.reporters.set_aside(self.traffic.subscriber.all_set_aside());
    }

    /// What is wrong although the session is up.
    pub(super) fn standing_problem(&self, thing: &str) -> Option<Problem> {
        self.takeovers.problem().or_else(|| self.traffic.problem(thing))
    }

    /// Whether the credentials provider has accepted this certificate since its MQTT connections are dropped.
    fn is_active(&self, identity: &Identity) -> bool {
        self.inputs
            .provider_accepted
            .borrow()
            .as_ref()
            .is_some_and(|(accepted, at)| {
                accepted.certificate.id == identity.certificate.id && self.outage.proves_active(*at)
            })
    }

    /// Credentials are asked for with the last identity that AWS has accepted. It is never taken back: as long as the
    /// credentials provider answers, what MQTT has to suffer does not matter.
    pub(super) fn tell_who_is_accepted(&self, identity: &Arc<Identity>) {
        let accepted = self.provisioning.was_accepted();
        self.accepted.send_if_modified(|known| {
            let news = accepted && !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, identity));
            if news {
                *known = Some(identity.clone());
            }
            news
        });
    }

    /// What to say of a connection that was lost, and how long to wait.
    pub(super) fn lost(&mut self, lost: &Lost, lasted: Duration) -> Duration {
        // Who looks for the message that drops the connections, and finds it, need not go ever slower.
        let found_one = self.traffic.has_found_one();
        // Where AWS leaves something unanswered, the next connection is likely to end the same way, however long it lasts.
        let stable = lasted >= STABLE && !matches!(lost, Lost::Unanswered);
        if found_one || stable {
            self.backoff.reset();
            self.provisioning.stable();
        }
        let repeats = self.outage.lost(lost, lasted);
        self.reporters.lost(&*self.clock);
        let taken_over = matches!(lost, Lost::Disconnected(reason) if reason.code == ReasonCode::SESSION_TAKEN_OVER);
        let by_ourselves = taken_over && self.successor.may_have_taken_over();
        if taken_over && !by_ourselves {
            self.takeovers.happened(self.clock.wall());
            self.reporters.taken_over(self.takeovers.details());
        }
        let wait = match lost {
            // How often this machine's network changes bounds how often this happens: one time in ten seconds.
            Lost::Stale => {
                self.backoff.reset();
                CONNECT_INTERVAL + self.backoff.next_wait() / 2
            }
            _ => self.next_backoff(),
        };
        let problem = match by_ourselves {
            true => problems::taken_over_by_ourselves(),
            false => problems::lost(&self.endpoint, lost, repeats),
        };
        self.reporters.waiting(Some(problem), self.clock.wall() + wait);
        wait
    }

    /// What to say of a failed attempt, and how long to wait.
    pub(super) fn failed(&mut self, error: ConnectError, identity: &Identity) -> Duration {
        self.traffic.not_reached();
        let is_newest = self.is_newest(identity);
        let has_connected = self.accepted.borrow().is_some();
        self.outage.failed(&error, has_connected, Instant::now());
        let (problem, wait) = match error {
            ConnectError::Unreachable(problem) => (Some(self.outage.judge(problem)), self.next_backoff()),
            ConnectError::LostBeforeConnack(seen) if is_newest => {
                let wait = self.provisioning.lost_before_connack();
                let why = self.provisioning.explain(&seen, self.is_active(identity));
                // What provisioning has to say of it need not be said twice.
                let problem = why.is_none().then(|| problems::dropped(&self.endpoint, &seen));
                self.reporters
                    .provisioning(&self.provisioning, why, Some(self.clock.wall() + wait));
                (problem, wait)
            }
            ConnectError::Breach(error) => {
                let what = error.to_string();
                let problem = self.outage.judge(problems::not_mqtt(&self.endpoint, &what));
                (Some(problem), self.next_backoff())
            }
            ConnectError::NotMqtt(what) => {
                let problem = self.outage.judge(problems::not_mqtt(&self.endpoint, &what));
                (Some(problem), self.next_backoff())
            }
            ConnectError::LostBeforeConnack(seen) => {
                (Some(problems::dropped(&self.endpoint, &seen)), self.next_backoff())
            }
            ConnectError::Refused(reason) => {
                self.provisioning.answered();
                let will = self.traffic.presence.will(&identity.certificate.thing_name);
                let problem = problems::refused(&self.endpoint, &reason, will.as_ref());
                // AWS refuses the whole connection when the policy forbids the will's topic.
                if may_be_the_will(reason.code) {
                    self.traffic.presence.try_another_way();
                }
                (Some(problem), self.next_backoff())
            }
        };
        let wait = self.take_turns(identity, wait);
        self.reporters.waiting(problem, self.clock.wall() + wait);
        wait
    }

    /// Waits; a new identity cuts it short, and where AWS was not reached, a sign that it may be now. AWS takes one CONNECT a
    /// second from a client ID, whatever the reason; an operator's request waits longer, because he may ask often.
    pub(super) async fn pause(&mut self, wait: Duration) -> Option<()> {
        let mut earliest = Instant::now() + CONNECT_INTERVAL;
        self.inputs.retry.forget();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            Ok(()) = self.inputs.identity.changed() => {}
            () = self.inputs.recovery.worth_a_try(), if self.outage.may_be_cut_short() => {}
            () = self.inputs.retry.requested() => earliest = earliest.max(self.attempted + RETRY_INTERVAL),
            () = ending(&mut self.inputs.shutdown) => return None,
        }
        tokio::select! {
            () = sleep_until(earliest) => Some(()),
            () = ending(&mut self.inputs.shutdown) => None,
        }
    }

    /// Jitter comes on top of the floor: a fleet that lost its broker must not come back in the same instant.
    pub(super) fn next_backoff(&mut self) -> Duration {
        CONNECT_INTERVAL + self.backoff.next_wait()
    }
}

/// Whether a CONNACK with this code may refuse the will rather than the client: its topic, that it is retained, or its quality
/// of service.
pub(super) fn may_be_the_will(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::NOT_AUTHORIZED
            | ReasonCode::TOPIC_NAME_INVALID
            | ReasonCode::RETAIN_NOT_SUPPORTED
            | ReasonCode::QOS_NOT_SUPPORTED
    )
}
