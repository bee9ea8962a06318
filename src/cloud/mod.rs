//! What AWS sees: provisioning, the MQTT session, the credentials provider.
//!
//! One thread, one runtime. A handshake blocks it for as long as the token takes to sign; that is why nothing that local
//! programs wait for lives here.

mod connect_errors;
pub mod credentials;
pub mod enrolment;
mod jitp;
mod mqtt;
mod network;
mod probe;
mod recovery;
mod session;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::Instant;

pub use jitp::Provisioning;
pub use probe::{Probe, prove_server};
pub use session::{PresenceReport, SessionInputs, SessionReporters};

use self::credentials::{Provider, Refreshers, SuccessRecord, Triggers};
use self::enrolment::{EnrolmentInputs, EnrolmentTask};
use self::network::NetworkReporter;
use self::recovery::Recovery;
use self::session::{CertificateRollover, Outage, Presence, Publisher, Session, Subscriber, Takeovers, Traffic};
use crate::clock::SharedClock;
use crate::config::{Config, Folders, Mqtt};
use crate::credentials::AliasChanges;
use crate::heartbeat::Heartbeat;
use crate::identity::{IdentityReceiver, IdentityTask, LastAccepted};
use crate::messages::{Outbox, Qos0Message, SessionEvent, Wanted};
use crate::retry::{Retries, RetryTarget};
use crate::status::{ClockDetails, ClockPart, ClockPhase, IdentityPart, Reporter};
use crate::timekeeper;

/// Everything the wing is made of.
pub struct Cloud {
    /// The configuration.
    pub config: Config,
    /// Whom to trust.
    pub roots: Arc<RootCertStore>,
    /// The clock.
    pub clock: SharedClock,
    /// Makes the identity out of key and certificate.
    pub identity_task: IdentityTask,
    /// The identity it made.
    pub identity: IdentityReceiver,
    /// Why there is none.
    pub identity_part: watch::Receiver<IdentityPart>,
    /// Whether the clock is set.
    pub clock_part: watch::Receiver<ClockPart>,
    /// Counts the steps of the clock.
    pub steps: watch::Sender<u64>,
    /// The clock's reporting end.
    pub clock_reporter: Reporter<ClockPhase, ClockDetails>,
    /// The reporting end of this machine's network.
    pub network_reporter: NetworkReporter,
    /// The session's and provisioning's.
    pub session_reporters: SessionReporters,
    /// The role aliases, as they come and go.
    pub alias_changes: tokio::sync::mpsc::UnboundedReceiver<AliasChanges>,
    /// The settings of the session, as they change.
    pub settings: watch::Receiver<Mqtt>,
    /// What is reported to AWS.
    pub health: PresenceReport,
    /// The way to AWS and back.
    pub post: MessageChannels,
    /// Hears what an operator wants now.
    pub retries: Retries,
    /// Becomes true when the daemon ends.
    pub shutdown: watch::Receiver<bool>,
    /// The thread's signs of life.
    pub heartbeat: Heartbeat,
}

/// The session's ends of `messages`.
#[derive(Debug)]
pub struct MessageChannels {
    /// Messages to send.
    pub outbox: Outbox,
    /// Messages to send at quality of service 0.
    pub direct: tokio::sync::mpsc::Receiver<Qos0Message>,
    /// Filters to subscribe to.
    pub wanted: watch::Receiver<Wanted>,
    /// What has come.
    pub arrive: tokio::sync::mpsc::Sender<SessionEvent>,
}

impl Cloud {
    /// Starts the wing's thread. The channel returned closes once the session has said goodbye.
    ///
    /// # Errors
    /// When the system gives no thread or no runtime.
    pub fn spawn(self) -> io::Result<mpsc::Receiver<()>> {
        // The session looks up after every task: with the default, 61 of them, each of which may be a handshake that waits
        // for the token, would come between a shutdown and its goodbye.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(1)
            .build()?;
        let (alive, ended) = mpsc::channel();
        std::thread::Builder::new().name("cloud".into()).spawn(move || {
            let _alive = alive;
            runtime.block_on(self.run());
            // A name look-up may hang in a thread of the runtime's; the process does not wait for it.
            runtime.shutdown_background();
        })?;
        Ok(ended)
    }

    /// The wing's tasks; it ends with its session.
    async fn run(self) {
        let (accepted, known) = watch::channel(None);
        let (provider_accepts, provider_accepted) = watch::channel(None);
        let recovery = Recovery::new();
        let success = SuccessRecord::load(self.config.folders.state.join("role-aliases.json"));
        let provider = Provider {
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
            clock: self.clock.clone(),
            steps: enrolment_steps,
            identity: self.identity.clone(),
            identity_part: self.identity_part.clone(),
            retry: self.retries.listen(RetryTarget::Enrolment),
            recovery: recovery.listen(),
        };
        let enrolment = EnrolmentTask::new(&self.config, inputs);
        if let Some((task, progress)) = enrolment {
            identity_task.follow_enrolment(progress);
            tokio::spawn(task.run());
        }
        tokio::spawn(identity_task.run());
        tokio::spawn(network::watch(recovery.clone(), self.network_reporter));
        let cues = Triggers {
            clock: self.clock.clone(),
            steps,
            identity: known,
            accepted: provider_accepts,
            recovery: recovery.clone(),
            success,
            retries: self.retries.clone(),
        };
        tokio::spawn(Refreshers::new(provider, cues).run(self.alias_changes));
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
            self.health,
            self.post.outbox.clone(),
        );
        let publisher = Publisher::new(self.post.outbox.clone(), self.post.direct, mqtt.publish_rate);
        let subscriber = Subscriber::new(self.post.outbox, self.post.wanted, self.post.arrive, self.clock.clone());
        let record = record_path(&self.config.folders);
        Session {
            endpoint: self.config.aws.mqtt_endpoint,
            mqtt: self.config.mqtt,
            roots: self.roots,
            clock: self.clock,
            inputs,
            reporters: self.session_reporters,
            provisioning: Provisioning::load(record, fastrand::Rng::new()),
            accepted,
            proven: LastAccepted::new(&self.config.folders, &self.config.identity),
            successor: CertificateRollover::none(),
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
        }
        .run()
        .await;
    }
}

/// Where provisioning keeps how far it came.
fn record_path(folders: &Folders) -> PathBuf {
    folders.state.join("provisioning.json")
}
