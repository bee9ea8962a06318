//! Makes the inputs of each task of the cloud thread from the parts that several tasks share.

use std::sync::Arc;

use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connector::Connector;
use super::credentials::{Provider, SuccessRecord, Triggers};
use super::enrolment::{EnrolmentInputs, RotationInputs};
use super::jitp::{self, Provisioning};
use super::recovery::Recovery;
use super::session::{
    CertificateRollover, Outage, Presence, PresenceReport, Publisher, Session, SessionInputs, SessionReporters,
    Subscriber, Takeovers, Traffic,
};
use super::sts::Sts;
use super::web_identity::WebTokenInputs;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::credentials::CredentialCache;
use crate::identity::{Identity, IdentityReceiver, LastAccepted};
use crate::messages::{DesiredFilters, Outbox, OwnSubscriber, Qos0Message, SessionEvent};
use crate::retry::{Retries, RetryTarget};
use crate::status::{IdentityPart, SessionPart};
use crate::token::Token;

/// Channels between the session and the message store.
#[derive(Debug)]
pub struct MessageChannels {
    /// Outbox.
    pub outbox: Outbox,
    /// Messages at QoS 0.
    pub qos0_messages: tokio::sync::mpsc::Receiver<Qos0Message>,
    /// Filters that the gateway should be subscribed to.
    pub desired_filters: watch::Receiver<DesiredFilters>,
    /// Events for the inbox.
    pub events: tokio::sync::mpsc::Sender<SessionEvent>,
    /// Subscriptions of rotation, if it is configured.
    pub own: Option<OwnSubscriber>,
}

/// Everything that several tasks need, from which the inputs of each are made.
pub(super) struct TaskContext {
    pub(super) config: Config,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) clock: SharedClock,
    pub(super) token: Token,
    pub(super) identity: IdentityReceiver,
    pub(super) identity_part: watch::Receiver<IdentityPart>,
    pub(super) retries: Retries,
    pub(super) connector: Connector,
    pub(super) recovery: Recovery,
    /// The identity that AWS accepted last.
    pub(super) accepted: watch::Sender<Option<Arc<Identity>>>,
    /// The identity that the credentials provider accepted last, and when.
    pub(super) provider_accepted: watch::Sender<Option<(Arc<Identity>, Instant)>>,
}

impl TaskContext {
    pub(super) fn enrolment_inputs(&self, steps: watch::Receiver<u64>) -> EnrolmentInputs {
        EnrolmentInputs {
            connector: self.connector.clone(),
            roots: self.roots.clone(),
            clock: self.clock.clone(),
            token: self.token.clone(),
            steps,
            identity: self.identity.clone(),
            identity_part: self.identity_part.clone(),
            retry: self.retries.listen(RetryTarget::Enrolment),
            renewal: self.retries.listen(RetryTarget::Renewal),
            recovery: self.recovery.listen(),
        }
    }

    pub(super) fn rotation_inputs(
        &self,
        session: watch::Receiver<SessionPart>,
        outbox: Outbox,
        subscriber: OwnSubscriber,
    ) -> RotationInputs {
        RotationInputs {
            token: self.token.clone(),
            clock: self.clock.clone(),
            identity: self.identity.clone(),
            session,
            outbox,
            subscriber,
        }
    }

    pub(super) fn provider(&self) -> Provider {
        Provider {
            connector: self.connector.clone(),
            endpoint: self.config.aws.credentials_endpoint.clone(),
            roots: self.roots.clone(),
            clock: self.clock.clone(),
        }
    }

    pub(super) fn triggers(&self, steps: watch::Receiver<u64>) -> Triggers<Arc<Identity>> {
        Triggers {
            clock: self.clock.clone(),
            steps,
            identity: self.accepted.subscribe(),
            accepted: self.provider_accepted.clone(),
            recovery: self.recovery.clone(),
            success: SuccessRecord::load(self.config.folders.state.join("role-aliases.json")),
            retries: self.retries.clone(),
        }
    }

    pub(super) fn web_token_inputs(&self, cache: CredentialCache) -> WebTokenInputs {
        WebTokenInputs {
            sts: self.config.aws.sts.clone().map(|endpoint| Sts {
                connector: self.connector.clone(),
                endpoint,
            }),
            cache,
            clock: self.clock.clone(),
            recovery: self.recovery.clone(),
            retries: self.retries.clone(),
        }
    }

    pub(super) fn traffic(&self, messages: MessageChannels, report: PresenceReport) -> Traffic {
        let MessageChannels {
            outbox,
            qos0_messages,
            desired_filters,
            events,
            own: _,
        } = messages;
        let mqtt = &self.config.mqtt;
        Traffic {
            presence: Presence::new(
                mqtt.presence_topic.clone(),
                mqtt.report_interval,
                report,
                outbox.clone(),
            ),
            publisher: Publisher::new(outbox.clone(), qos0_messages, mqtt.publish_rate),
            subscriber: Subscriber::new(outbox, desired_filters, events, self.clock.clone()),
        }
    }

    pub(super) fn into_session(self, inputs: SessionInputs, reporters: SessionReporters, traffic: Traffic) -> Session {
        let record = jitp::record_path(&self.config.folders);
        Session {
            connector: self.connector,
            endpoint: self.config.aws.mqtt_endpoint,
            alpn: self.config.aws.mqtt_alpn,
            mqtt: self.config.mqtt,
            roots: self.roots,
            clock: self.clock,
            inputs,
            reporters,
            provisioning: Provisioning::load(record, fastrand::Rng::new()),
            accepted: self.accepted,
            last_accepted: LastAccepted::new(&self.config.folders, &self.config.identity),
            rollover: CertificateRollover::none(),
            traffic,
            backoff: Session::backoff(fastrand::Rng::new()),
            recovery: self.recovery,
            outage: Outage::default(),
            takeovers: Takeovers::default(),
            attempted: Instant::now(),
        }
    }
}
