//! A test bench for the local thread, without sockets, token and cloud thread: its state, a real store on disk, and the ends of the
//! channels to the session, so that a test answers in AWS's place. Time may be paused.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_local;

use super::context::ApiContext;
use super::limits::MQTT_SLOTS;
use super::{
    AcceptStatus, AccessRules, AckWaiters, Audit, Connections, CredentialsFiles, Inherited, LoopbackSlot, MqttState,
    RateLimiter, RequestCounts, ThingName,
};
use crate::clock::SharedClock;
use crate::clock::manual::ManualClock;
use crate::config::{AccessRule, Aliases, LocalMqtt, Selectors};
use crate::credentials::CredentialCacheEditor;
use crate::logging::LogLevel;
use crate::messages::{AckGuard, AckOutcome, Bounds, DesiredFilters, Qos0Message, Received, SessionEvent, prepare};
use crate::qos::Qos;
use crate::retry::Retries;
use crate::status::{
    ClockDetails, ClockPhase, ConfigurationDetails, ConfigurationPhase, IdentityDetails, IdentityPhase,
    MessagesDetails, MessagesPhase, NetworkDetails, NetworkPhase, ProvisioningDetails, ProvisioningPhase, Reporter,
    SessionDetails, SessionPhase, StatusBoard, StatusHub, TokenDetails, TokenPhase,
};
use crate::token::Token;

/// 2030-01-01, which is later than the build date.
const NOW: u64 = 1_893_456_000;
/// The thing name.
pub(super) const THING: &str = "gw-1";
/// A user whom the rules allow to subscribe to everything below `{thing}/` and to publish below `{thing}/open/`. No limit exempts it.
pub(super) const USER: u32 = 4_000_001;
/// A user whom the rules allow the same.
pub(super) const OTHER_USER: u32 = 4_000_002;
/// A user whom no rule names.
pub(super) const UNNAMED_USER: u32 = 4_000_003;

/// The local thread's state, and its environment.
pub(super) struct Bench {
    pub(super) context: Rc<ApiContext>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) connections: Connections,
    pub(super) session: Reporter<SessionPhase, SessionDetails>,
    identity: Reporter<IdentityPhase, IdentityDetails>,
    events: mpsc::Sender<SessionEvent>,
    pub(super) desired: watch::Receiver<DesiredFilters>,
    pub(super) qos0_messages: mpsc::Receiver<Qos0Message>,
    /// Whether each message was acknowledged that [`send`](Self::send) has delivered.
    pub(super) outcomes: mpsc::UnboundedReceiver<AckOutcome>,
    outcome_sender: mpsc::UnboundedSender<AckOutcome>,
    /// Whether AWS sends no further message before one is acknowledged.
    pub(super) is_window_full: Arc<AtomicBool>,
    _folder: TempDir,
}

impl Bench {
    /// Creates the state of a gateway that knows its thing name and is connected to AWS. Must be called in a `LocalSet`.
    pub(super) async fn online() -> Self {
        let bench = Self::unprovisioned();
        bench
            .identity
            .details(|details| details.thing_name = Some(THING.to_owned()));
        bench.set_online(true);
        assert_eq!(bench.context.thing_name.get().await.as_deref(), Some(THING));
        bench
    }

    /// Creates the state of a gateway that never had a certificate.
    pub(super) fn unprovisioned() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(NOW);
        let shared: SharedClock = clock.clone();
        let hub = StatusHub::new(shared.clone());
        let store = hub.reporter("messages", MessagesPhase::Opening, MessagesDetails::default());
        let messages = store.watch();
        // The store runs on this runtime, so a paused clock does not advance while it works.
        let (handles, work) = prepare(folder.path(), Bounds::default(), shared.clone(), store);
        spawn_local(work);
        let session = hub.reporter("session", SessionPhase::Idle, SessionDetails::default());
        let identity = hub.reporter("identity", IdentityPhase::NoKey, IdentityDetails::default());
        let loopback = LoopbackSlot::new(None, folder.path().join("loopback"), hub.clone(), Inherited::default());
        let credentials_files = Rc::new(CredentialsFiles::new(Vec::new(), folder.path(), &hub));
        let mqtt = MqttState::new(LocalMqtt::default(), folder.path().join("mqtt.sock"), None, &hub);
        let accepting = Rc::new(AcceptStatus::new(&hub));
        let configuration = ConfigurationDetails::default();
        let board = StatusBoard {
            token: hub
                .reporter("token", TokenPhase::Waiting, TokenDetails::default())
                .watch(),
            clock: hub
                .reporter("clock", ClockPhase::Unset, ClockDetails::default())
                .watch(),
            identity: identity.watch(),
            provisioning: hub
                .reporter("provisioning", ProvisioningPhase::NoKey, ProvisioningDetails::default())
                .watch(),
            session: session.watch(),
            messages,
            loopback: loopback.part(),
            local_mqtt: mqtt.status.part(),
            accepting: accepting.part(),
            credentials_files: credentials_files.part(),
            network: hub
                .reporter("network", NetworkPhase::Unknown, NetworkDetails {})
                .watch(),
            configuration: hub
                .reporter("configuration", ConfigurationPhase::Loaded, configuration)
                .watch(),
        };
        let context = Rc::new(ApiContext {
            started: shared.boot(),
            cache: CredentialCacheEditor::new(hub).cache(),
            access: RefCell::new(AccessRules::new(&[rule(USER), rule(OTHER_USER)])),
            reloads: mpsc::channel(1).0,
            connections: Connections::default(),
            accepting,
            drop_ins: Path::new("/etc/gatepost/conf.d").to_owned(),
            loopback,
            credentials_files,
            mqtt,
            outbox: handles.outbox,
            inbox: handles.inbox,
            signing_request: watch::channel(None).1,
            presence_topic: RefCell::new(None),
            thing_name: ThingName::default(),
            rate_limiter: RateLimiter::new(shared.clone()),
            ack_waiters: AckWaiters::default(),
            request_counts: RequestCounts::default(),
            audit: Audit::new(shared.clone()),
            log_level: LogLevel::new(),
            retries: Retries::new(),
            token: Token::without_thread(),
            retry_lines: RefCell::default(),
            board,
            clock: shared,
        });
        let (mqtt, inbox, outbox) = (context.clone(), context.inbox.clone(), context.outbox.clone());
        spawn_local(async move { mqtt.mqtt.run(mqtt.outbox.clone()).await });
        spawn_local(inbox.clone().run(handles.session_events));
        spawn_local(context.thing_name.clone().follow(identity.watch(), inbox, outbox));
        let (outcome_sender, outcomes) = mpsc::unbounded_channel();
        Self {
            context,
            clock,
            connections: Connections::new(&MQTT_SLOTS),
            session,
            identity,
            events: handles.event_sender,
            desired: handles.desired_filters,
            qos0_messages: handles.qos0_messages,
            outcomes,
            outcome_sender,
            is_window_full: Arc::default(),
            _folder: folder,
        }
    }

    /// Connects the session with AWS, or ends its connection.
    pub(super) fn set_online(&self, is_online: bool) {
        let phase = if is_online {
            SessionPhase::Connected
        } else {
            SessionPhase::Idle
        };
        self.session.report(phase, None);
    }

    /// Reports an event of the session.
    pub(super) async fn report(&self, event: SessionEvent) {
        self.events.send(event).await.unwrap();
    }

    /// Delivers a message of AWS. With a packet identifier its outcome is reported to `outcomes`.
    pub(super) async fn send(&self, packet_id: Option<u16>, message: Received) {
        let guard = match packet_id {
            Some(id) => AckGuard::new(id, self.outcome_sender.clone(), self.is_window_full.clone()),
            None => AckGuard::none(),
        };
        self.report(SessionEvent::Message(message, guard)).await;
    }

    /// Replaces the access rules.
    pub(super) fn allow(&self, rules: &[AccessRule]) {
        self.context.access.replace(AccessRules::new(rules));
        self.context.inbox.recheck_permissions();
    }

    /// Returns topic and payload of the messages in the outbox, the oldest first.
    pub(super) async fn stored(&self) -> Vec<(String, String)> {
        let outbox = &self.context.outbox;
        let mut stored = Vec::new();
        for entry in outbox.list(0, false).await.unwrap() {
            let found = outbox.show(entry.id).await.unwrap().unwrap();
            stored.push((found.entry.topic, String::from_utf8(found.payload).unwrap()));
        }
        stored
    }
}

/// Returns a message of AWS.
pub(super) fn received(topic: &str, payload: &str, qos: Qos) -> Received {
    Received {
        topic: topic.to_owned(),
        payload: payload.to_owned().into(),
        qos,
        ..Received::default()
    }
}

/// Returns the rule of a user.
pub(super) fn rule(uid: u32) -> AccessRule {
    AccessRule {
        place: format!("the rule of {uid}"),
        who: Selectors {
            uid: Some(uid),
            ..Selectors::default()
        },
        role_aliases: Aliases::These(Vec::new()),
        publish: vec!["{thing}/open/#".to_owned()],
        subscribe: vec!["{thing}/#".to_owned()],
        tokens: Vec::new(),
        token_file: None,
    }
}
