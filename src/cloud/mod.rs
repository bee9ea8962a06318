//! Connections to AWS: provisioning, the MQTT session, and the credentials provider.
//!
//! The cloud thread has a single-threaded runtime. A TLS handshake blocks it while the token signs, so nothing that local programs wait
//! for runs here.

mod connect_errors;
pub mod connector;
pub mod credentials;
pub mod enrolment;
mod expired_identity;
pub mod https;
mod jitp;
mod mqtt;
mod network;
mod probe;
mod recovery;
mod secret_file;
mod session;
mod state_file;
pub mod sts;
pub mod web_identity;

use std::io;
use std::sync::Arc;
use std::sync::mpsc;

use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::Instant;

pub use probe::{Probe, prove_server};
pub use session::{PresenceReport, SessionInputs, SessionReporters};

use self::connector::Connector;
use self::credentials::{Provider, Refreshers, SuccessRecord, Triggers};
use self::enrolment::{EnrolmentInputs, EnrolmentTask, RotationInputs, RotationTask};
use self::jitp::Provisioning;
use self::network::NetworkReporter;
use self::recovery::Recovery;
use self::session::{CertificateRollover, Outage, Presence, Publisher, Session, Subscriber, Takeovers, Traffic};
use self::sts::Sts;
use self::web_identity::WebTokenInputs;
use crate::clock::SharedClock;
use crate::config::{Config, Mqtt};
use crate::credentials::{AliasChanges, CredentialCache, WebTokenChanges};
use crate::heartbeat::Heartbeat;
use crate::identity::{IdentityReceiver, IdentityTask, LastAccepted};
use crate::messages::{DesiredFilters, Outbox, OwnSubscriber, Qos0Message, SessionEvent};
use crate::retry::{Retries, RetryTarget};
use crate::status::{ClockDetails, ClockPart, ClockPhase, IdentityPart, Reporter};
use crate::timekeeper;
use crate::token::Token;

/// Everything that the cloud thread needs.
pub struct Cloud {
    /// Configuration.
    pub config: Config,
    /// Trusted root certificates.
    pub roots: Arc<RootCertStore>,
    /// Clock.
    pub clock: SharedClock,
    /// Token with the keys.
    pub token: Token,
    /// Task that makes the identity from key and certificate.
    pub identity_task: IdentityTask,
    /// Current identity.
    pub identity: IdentityReceiver,
    /// Status of the identity.
    pub identity_part: watch::Receiver<IdentityPart>,
    /// Status of the clock.
    pub clock_part: watch::Receiver<ClockPart>,
    /// Counts steps of the wall clock.
    pub steps: watch::Sender<u64>,
    /// Reporter of the clock.
    pub clock_reporter: Reporter<ClockPhase, ClockDetails>,
    /// Reporter of this machine's network.
    pub network_reporter: NetworkReporter,
    /// Reporters of the session and of provisioning.
    pub session_reporters: SessionReporters,
    /// Role aliases that are added and removed.
    pub alias_changes: tokio::sync::mpsc::UnboundedReceiver<AliasChanges>,
    /// Audiences of tokens that are added and removed.
    pub web_token_changes: tokio::sync::mpsc::UnboundedReceiver<WebTokenChanges>,
    /// Credentials of each role alias, which sign requests for tokens.
    pub cache: CredentialCache,
    /// Settings of the session, which a reload may change.
    pub settings: watch::Receiver<Mqtt>,
    /// Report that presence publishes.
    pub presence_report: PresenceReport,
    /// Channels to and from the message store.
    pub messages: MessageChannels,
    /// Requests of an operator.
    pub retries: Retries,
    /// Becomes true when the daemon shuts down.
    pub shutdown: watch::Receiver<bool>,
    /// Heartbeat of the thread.
    pub heartbeat: Heartbeat,
}

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

impl Cloud {
    /// Starts the cloud thread. The returned channel closes when the session has ended.
    ///
    /// # Errors
    /// If the system cannot create a thread or a runtime.
    pub fn spawn(self) -> io::Result<mpsc::Receiver<()>> {
        // The runtime checks for events after every task. By default it would first run 61 tasks, each of which may be a handshake
        // that waits for the token, before the session notices a shutdown.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(1)
            .build()?;
        let (alive, ended) = mpsc::channel();
        std::thread::Builder::new().name("cloud".into()).spawn(move || {
            let _alive = alive;
            runtime.block_on(self.run());
            // A name lookup may hang in a blocking thread of the runtime, so the shutdown must not wait for it.
            runtime.shutdown_background();
        })?;
        Ok(ended)
    }

    /// Runs all tasks of the thread until the session ends.
    async fn run(self) {
        let (accepted, accepted_identity) = watch::channel(None);
        tokio::spawn(expired_identity::replace(
            accepted.clone(),
            self.identity.clone(),
            self.clock.clone(),
        ));
        let (provider_accepts, provider_accepted) = watch::channel(None);
        let recovery = Recovery::new();
        let connector = Connector::new(&self.config);
        let success = SuccessRecord::load(self.config.folders.state.join("role-aliases.json"));
        let provider = Provider {
            connector: connector.clone(),
            endpoint: self.config.aws.credentials_endpoint.clone(),
            roots: self.roots.clone(),
            clock: self.clock.clone(),
        };
        let steps = self.steps.subscribe();
        let enrolment_steps = self.steps.subscribe();
        let heartbeat = self.heartbeat;
        tokio::spawn(async move { heartbeat.keep_beating().await });
        tokio::spawn(timekeeper::run(self.clock.clone(), self.clock_reporter, self.steps));
        let mut identity_task = self.identity_task;
        let inputs = EnrolmentInputs {
            connector: connector.clone(),
            roots: self.roots.clone(),
            clock: self.clock.clone(),
            token: self.token.clone(),
            steps: enrolment_steps,
            identity: self.identity.clone(),
            identity_part: self.identity_part.clone(),
            retry: self.retries.listen(RetryTarget::Enrolment),
            renewal: self.retries.listen(RetryTarget::Renewal),
            recovery: recovery.listen(),
        };
        let enrolment = EnrolmentTask::new(&self.config, inputs);
        if let Some((task, progress)) = enrolment {
            identity_task.follow_enrolment(progress);
            tokio::spawn(task.run());
        }
        if let Some(subscriber) = self.messages.own {
            let inputs = RotationInputs {
                token: self.token,
                clock: self.clock.clone(),
                identity: self.identity.clone(),
                session: self.session_reporters.session.watch(),
                outbox: self.messages.outbox.clone(),
                subscriber,
            };
            let (task, progress) = RotationTask::new(&self.config, inputs);
            identity_task.follow_rotation(progress);
            tokio::spawn(task.run());
        }
        tokio::spawn(identity_task.run(self.retries.listen(RetryTarget::Identity)));
        tokio::spawn(network::watch(
            recovery.clone(),
            self.network_reporter,
            self.config.network.proxy.is_some(),
        ));
        let triggers = Triggers {
            clock: self.clock.clone(),
            steps,
            identity: accepted_identity,
            accepted: provider_accepts,
            recovery: recovery.clone(),
            success,
            retries: self.retries.clone(),
        };
        tokio::spawn(Refreshers::new(provider, triggers).run(self.alias_changes));
        let inputs = WebTokenInputs {
            sts: self.config.aws.sts.clone().map(|endpoint| Sts {
                connector: connector.clone(),
                endpoint,
            }),
            cache: self.cache,
            clock: self.clock.clone(),
            recovery: recovery.clone(),
            retries: self.retries.clone(),
        };
        tokio::spawn(web_identity::run(inputs, self.web_token_changes));
        let inputs = SessionInputs {
            identity: self.identity,
            identity_part: self.identity_part,
            clock_part: self.clock_part,
            provider_accepted,
            recovery: recovery.listen(),
            retry: self.retries.listen(RetryTarget::Session),
            settings: self.settings,
            shutdown: self.shutdown,
        };
        let mqtt = &self.config.mqtt;
        let presence = Presence::new(
            mqtt.presence_topic.clone(),
            mqtt.report_interval,
            self.presence_report,
            self.messages.outbox.clone(),
        );
        let publisher = Publisher::new(
            self.messages.outbox.clone(),
            self.messages.qos0_messages,
            mqtt.publish_rate,
        );
        let subscriber = Subscriber::new(
            self.messages.outbox,
            self.messages.desired_filters,
            self.messages.events,
            self.clock.clone(),
        );
        let record = jitp::record_path(&self.config.folders);
        let session = Session {
            connector,
            endpoint: self.config.aws.mqtt_endpoint,
            alpn: self.config.aws.mqtt_alpn,
            mqtt: self.config.mqtt,
            roots: self.roots,
            clock: self.clock,
            inputs,
            reporters: self.session_reporters,
            provisioning: Provisioning::load(record, fastrand::Rng::new()),
            accepted,
            last_accepted: LastAccepted::new(&self.config.folders, &self.config.identity),
            rollover: CertificateRollover::none(),
            traffic: Traffic {
                presence,
                publisher,
                subscriber,
            },
            backoff: Session::backoff(fastrand::Rng::new()),
            recovery,
            outage: Outage::default(),
            takeovers: Takeovers::default(),
            attempted: Instant::now(),
        };
        session::run(session).await;
    }
}
