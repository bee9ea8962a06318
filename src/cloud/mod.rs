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
mod task_context;
pub mod web_identity;

use std::io;
use std::sync::Arc;
use std::sync::mpsc;

use rustls::RootCertStore;
use tokio::sync::watch;

pub use probe::{Probe, prove_server};
pub use session::{PresenceReport, SessionInputs, SessionReporters};

use self::connector::Connector;
use self::credentials::Refreshers;
use self::enrolment::{EnrolmentTask, RotationTask};
use self::network::NetworkReporter;
use self::recovery::Recovery;
pub use self::task_context::MessageChannels;
use self::task_context::TaskContext;
use crate::clock::SharedClock;
use crate::config::{Config, Mqtt};
use crate::credentials::{AliasChanges, CredentialCache, WebTokenChanges};
use crate::heartbeat::Heartbeat;
use crate::identity::{IdentityReceiver, IdentityTask};
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
        let context = TaskContext {
            connector: Connector::new(&self.config),
            config: self.config,
            roots: self.roots,
            clock: self.clock,
            token: self.token,
            identity: self.identity,
            identity_part: self.identity_part,
            retries: self.retries,
            recovery: Recovery::new(),
            accepted: watch::channel(None).0,
            provider_accepted: watch::channel(None).0,
        };
        let session_inputs = SessionInputs {
            identity: context.identity.clone(),
            identity_part: context.identity_part.clone(),
            clock_part: self.clock_part,
            provider_accepted: context.provider_accepted.subscribe(),
            recovery: context.recovery.listen(),
            retry: context.retries.listen(RetryTarget::Session),
            settings: self.settings,
            shutdown: self.shutdown,
        };
        let enrolment = EnrolmentTask::new(&context.config, context.enrolment_inputs(self.steps.subscribe()));
        let refreshers = Refreshers::new(context.provider(), context.triggers(self.steps.subscribe()));
        let mut messages = self.messages;
        let mut identity_task = self.identity_task;

        tokio::spawn(expired_identity::replace(
            context.accepted.clone(),
            context.identity.clone(),
            context.clock.clone(),
        ));
        let heartbeat = self.heartbeat;
        tokio::spawn(async move { heartbeat.keep_beating().await });
        tokio::spawn(timekeeper::run(context.clock.clone(), self.clock_reporter, self.steps));
        if let Some((task, progress)) = enrolment {
            identity_task.follow_enrolment(progress);
            tokio::spawn(task.run());
        }
        if let Some(subscriber) = messages.own.take() {
            let session = self.session_reporters.session.watch();
            let inputs = context.rotation_inputs(session, messages.outbox.clone(), subscriber);
            let (task, progress) = RotationTask::new(&context.config, inputs);
            identity_task.follow_rotation(progress);
            tokio::spawn(task.run());
        }
        tokio::spawn(identity_task.run(context.retries.listen(RetryTarget::Identity)));
        let has_proxy = context.config.network.proxy.is_some();
        tokio::spawn(network::watch(
            context.recovery.clone(),
            self.network_reporter,
            has_proxy,
        ));
        tokio::spawn(refreshers.run(self.alias_changes));
        tokio::spawn(web_identity::run(
            context.web_token_inputs(self.cache),
            self.web_token_changes,
        ));
        let traffic = context.traffic(messages, self.presence_report);
        session::run(context.into_session(session_inputs, self.session_reporters, traffic)).await;
    }
}
