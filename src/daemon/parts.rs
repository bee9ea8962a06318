//! The parts of the daemon: creates them, connects them by channels, and starts their threads.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use tokio::sync::{mpsc, oneshot, watch};

use super::caches::Caches;
use super::reload::Reloader;
use super::reporters::Reporters;
use super::start::Start;
use crate::clock::SharedClock;
use crate::cloud::{Cloud, MessageChannels, PresenceReport};
use crate::config::{Config, drop_in_folder};
use crate::heartbeat::Heartbeat;
use crate::identity::{Files, IdentityReceiver, IdentityReporter, IdentityTask};
use crate::local::{
    AccessRules, AckWaiters, ApiContext, Audit, Connections, CredentialsFiles, Inherited, LoopbackSlot, MqttState,
    RateLimiter, RequestCounts, ThingName, mqtt_socket_path,
};
use crate::logging::LogLevel;
use crate::messages::{self, OwnSubscriptions, SessionEvent};
use crate::problem::Fatal;
use crate::retry::Retries;
use crate::status::{ReloadOutcome, StatusHub};
use crate::subordinate;
use crate::systemd::FdStore;
use crate::token::{PinSource, Token, TokenReporter, TokenThread};

/// Reload requests that may wait for a running reload. Further ones are refused.
const RELOAD_REQUESTS: usize = 8;

/// The parts of the running daemon that the main thread needs.
pub(super) struct Parts {
    /// The state that requests of local programs are answered from.
    pub(super) context: Rc<ApiContext>,
    /// The hub of all status reporters.
    pub(super) hub: StatusHub,
    /// Reloads the configuration.
    pub(super) reloader: Rc<Reloader>,
    /// The service manager's store of file descriptors.
    pub(super) fd_store: FdStore,
    /// Problems that end the daemon.
    pub(super) fatals: mpsc::Receiver<Fatal>,
    /// Requests of local programs for a reload.
    pub(super) reload_requests: mpsc::Receiver<oneshot::Sender<ReloadOutcome>>,
    /// Events of the MQTT session, for the inbox.
    pub(super) session_events: mpsc::Receiver<SessionEvent>,
    /// Subscriptions of gatepost itself.
    pub(super) own_subscriptions: Option<OwnSubscriptions>,
    /// The token thread. Dropping this closes the token.
    pub(super) token_thread: TokenThread,
    /// The cloud thread.
    pub(super) cloud_thread: CloudThread,
    /// Closes when the messages thread has ended.
    pub(super) messages_ended: std::sync::mpsc::Receiver<()>,
}

/// The main thread's ends of the cloud thread.
pub(super) struct CloudThread {
    /// Its heartbeat.
    pub(super) heartbeat: Heartbeat,
    /// Ends it when set to true.
    pub(super) shutdown: watch::Sender<bool>,
    /// Closes when it has ended.
    pub(super) ended: std::sync::mpsc::Receiver<()>,
}

impl Parts {
    /// Creates all parts and starts their threads. `stored` are descriptors with credentials of the previous run, `loopback` is
    /// what that run has left of the loopback listener, `local_mqtt` the socket of the MQTT listener, if the service manager
    /// has it.
    ///
    /// # Errors
    /// When the system does not provide a thread.
    pub(super) fn start(
        path: &Path,
        start: Start,
        clock: SharedClock,
        stored: Vec<(String, OwnedFd)>,
        loopback: Inherited,
        local_mqtt: Option<TcpListener>,
    ) -> io::Result<Self> {
        let Start {
            config,
            roots,
            files,
            fallback,
        } = start;
        let hub = StatusHub::new(clock.clone());
        let reporters = Reporters::new(&hub, path, &config, &*clock);
        let token_files = config.folders.runtime.join("loopback");
        let loopback = LoopbackSlot::new(config.loopback, token_files, hub.clone(), loopback);
        let credentials_files = CredentialsFiles::new(config.credentials_files.clone(), &config.folders.runtime, &hub);
        let credentials_files = Rc::new(credentials_files);
        let mqtt_socket = mqtt_socket_path(&config.folders.runtime);
        let mqtt = MqttState::new(config.local_mqtt, mqtt_socket, local_mqtt, &hub);
        let board = reporters.board(&loopback, &mqtt, &credentials_files);

        let caches = Caches::new(&config, &hub, stored, &*clock);
        let heartbeat = Heartbeat::new();
        let device = Device::start(&config, files, &clock, &heartbeat, reporters.token, reporters.identity)?;
        let bounds = config.mqtt.bounds.clone();
        let messages = messages::spawn(&config.folders.state, bounds, clock.clone(), reporters.messages)?;

        let own = config.enrolment.rotation_jobs.then(messages::own_subscriptions);
        let (own_subscriber, own_subscriptions) = own.unzip();

        let (reload_sender, reload_requests) = mpsc::channel(RELOAD_REQUESTS);
        let retries = Retries::new();
        subordinate::log_problems(&config);
        let context = Rc::new(ApiContext {
            clock: clock.clone(),
            started: clock.boot(),
            board: board.clone(),
            cache: caches.editor.cache(),
            outbox: messages.outbox.clone(),
            inbox: messages.inbox,
            presence_topic: RefCell::new(config.mqtt.presence_topic.clone()),
            signing_request: device.identity_task.watch_request(),
            thing_name: ThingName::default(),
            access: RefCell::new(AccessRules::new(&config.access)),
            reloads: reload_sender,
            connections: Connections::default(),
            accepting: reporters.accepting,
            drop_ins: drop_in_folder(path),
            loopback,
            credentials_files,
            mqtt,
            rate_limiter: RateLimiter::new(clock.clone()),
            ack_waiters: AckWaiters::default(),
            request_counts: RequestCounts::default(),
            audit: Audit::new(clock.clone()),
            log_level: LogLevel::new(),
            retries: retries.clone(),
            token: device.token.clone(),
            retry_lines: RefCell::default(),
        });

        let (settings_sender, settings) = watch::channel(config.mqtt.clone());
        let (shutdown, ending) = watch::channel(false);
        let presence_report = PresenceReport {
            board: board.clone(),
            cache: caches.editor.cache(),
            clock: clock.clone(),
            started: clock.boot(),
            changed: hub.changed(),
        };
        let cloud = Cloud {
            config: config.clone(),
            roots,
            clock,
            token: device.token,
            identity_task: device.identity_task,
            identity: device.identity,
            identity_part: board.identity,
            clock_part: board.clock,
            steps: device.steps,
            clock_reporter: reporters.clock,
            network_reporter: reporters.network,
            session_reporters: reporters.session,
            alias_changes: caches.alias_changes,
            web_token_changes: caches.web_token_changes,
            cache: caches.editor.cache(),
            settings,
            presence_report,
            messages: MessageChannels {
                outbox: messages.outbox,
                qos0_messages: messages.qos0_messages,
                desired_filters: messages.desired_filters,
                events: messages.event_sender,
                own: own_subscriber,
            },
            retries,
            shutdown: ending,
            heartbeat: heartbeat.clone(),
        };
        let ended = cloud.spawn()?;

        let reloader = Rc::new(Reloader {
            path: path.to_owned(),
            running: RefCell::new(config),
            fallback: RefCell::new(fallback),
            context: context.clone(),
            cache: caches.editor,
            alias_changes: caches.alias_sender,
            web_token_changes: caches.web_token_sender,
            settings: settings_sender,
            reporter: reporters.configuration,
            lock: tokio::sync::Mutex::default(),
        });
        reloader.report_start();
        Ok(Self {
            context,
            hub,
            reloader,
            fd_store: caches.fd_store,
            fatals: device.fatals,
            reload_requests,
            session_events: messages.session_events,
            own_subscriptions,
            token_thread: device.token_thread,
            cloud_thread: CloudThread {
                heartbeat,
                shutdown,
                ended,
            },
            messages_ended: messages.ended,
        })
    }
}

/// The token's thread, and the identity that its key makes possible.
struct Device {
    token: Token,
    token_thread: TokenThread,
    identity_task: IdentityTask,
    identity: IdentityReceiver,
    /// Counts steps of the wall clock, after which the identity is checked again.
    steps: watch::Sender<u64>,
    /// Problems of the token that end the daemon.
    fatals: mpsc::Receiver<Fatal>,
}

impl Device {
    fn start(
        config: &Config,
        files: Files,
        clock: &SharedClock,
        heartbeat: &Heartbeat,
        token_reporter: TokenReporter,
        identity_reporter: IdentityReporter,
    ) -> io::Result<Self> {
        let (fatal_sender, fatals) = mpsc::channel(1);
        let (steps, _) = watch::channel(0);
        let (token, token_thread) = Token::spawn(
            config.token.clone(),
            pin_source(config),
            token_reporter,
            fatal_sender,
            heartbeat.clone(),
        )?;
        let (identity_task, identity) = IdentityTask::new(
            config.identity.clone(),
            &config.folders,
            files,
            token.clone(),
            clock.clone(),
            steps.subscribe(),
            identity_reporter,
        );
        Ok(Self {
            token,
            token_thread,
            identity_task,
            identity,
            steps,
            fatals,
        })
    }
}

fn pin_source(config: &Config) -> PinSource {
    let pin_file = config.token.pin_file.as_deref();
    PinSource::new(pin_file, config.folders.credentials.as_deref()).or_ask(pin_file, &config.folders.runtime)
}
