//! The state that the MQTT connections share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tokio::sync::watch;

use super::log::MqttLog;
use super::publish_queue::{self, PublishQueue};
use super::qos0_queue::{self, Qos0Queue};
use super::registry::Registry;
use super::tokens::MqttTokens;
use crate::config::LocalMqtt;
use crate::messages::Outbox;
use crate::problem::Problem;

/// The state of the MQTT listeners and their connections.
#[derive(Debug)]
pub struct MqttState {
    configured: watch::Sender<LocalMqtt>,
    socket_path: PathBuf,
    /// The socket of the loopback address, if a socket unit has passed one.
    inherited: RefCell<Option<TcpListener>>,
    /// The configured sockets and addresses, each with the problem that keeps it from being bound.
    listeners: RefCell<BTreeMap<String, Option<Problem>>>,
    /// Secrets that the administrator has configured.
    pub tokens: MqttTokens,
    /// The connected clients.
    pub(super) registry: Registry,
    /// QoS 1 messages on their way to the outbox.
    pub(super) publish_queue: PublishQueue,
    /// QoS 0 messages on their way to the session.
    pub(super) qos0_queue: Rc<Qos0Queue>,
    /// Counters and journal lines.
    pub log: Rc<MqttLog>,
}

impl MqttState {
    /// Creates the state of the configured listeners. The Unix socket is at `socket_path`. A socket unit may hold the socket of the
    /// loopback address.
    pub fn new(config: LocalMqtt, socket_path: PathBuf, inherited: Option<TcpListener>) -> Self {
        Self {
            configured: watch::Sender::new(config),
            socket_path,
            inherited: RefCell::new(inherited),
            listeners: RefCell::default(),
            tokens: MqttTokens::default(),
            registry: Registry::default(),
            publish_queue: PublishQueue::new(),
            qos0_queue: Rc::default(),
            log: Rc::default(),
        }
    }

    /// Configures the listeners.
    pub fn configure(&self, config: LocalMqtt) {
        self.configured.send_if_modified(|known| {
            let has_changed = *known != config;
            *known = config;
            has_changed
        });
    }

    /// Returns the path of the Unix socket.
    pub fn socket_path(&self) -> &Path {
        &self.socket_path
    }

    /// Returns whether programs can connect to the Unix socket.
    pub fn has_socket(&self) -> bool {
        self.configured.borrow().socket
    }

    /// Returns the address at which programs can connect.
    pub fn address(&self) -> Option<SocketAddr> {
        self.configured.borrow().listen
    }

    /// Records that programs can connect at this socket or address, or the problem that prevents it.
    pub fn report_listener(&self, place: &str, problem: Option<Problem>) {
        self.listeners.borrow_mut().insert(place.to_owned(), problem);
    }

    /// Forgets the recorded listeners, because the configuration has changed.
    pub fn forget_listeners(&self) {
        self.listeners.borrow_mut().clear();
    }

    /// Returns whether programs can connect to at least one configured listener.
    pub fn is_listening(&self) -> bool {
        let configured = *self.configured.borrow();
        let expected = usize::from(configured.socket) + usize::from(configured.listen.is_some());
        let listeners = self.listeners.borrow();
        listeners.len() == expected && listeners.values().all(Option::is_none)
    }

    /// Returns the problem that prevents programs from connecting.
    pub fn problem(&self) -> Option<Problem> {
        Problem::joined(self.listeners.borrow().values().flatten().cloned().collect())
    }

    /// Takes the socket that a socket unit has passed.
    pub fn take_inherited(&self) -> Option<TcpListener> {
        self.inherited.borrow_mut().take()
    }

    /// Subscribes to changes of the configuration.
    pub fn watch(&self) -> watch::Receiver<LocalMqtt> {
        self.configured.subscribe()
    }

    /// Returns the number of connected clients.
    pub fn client_count(&self) -> usize {
        self.registry.count()
    }

    /// Passes messages of clients to the outbox and to the session until the daemon ends.
    pub async fn run(&self, outbox: Outbox) {
        let Some(receiver) = self.publish_queue.take_receiver() else {
            return;
        };
        tokio::join!(
            publish_queue::run(receiver, self.log.clone(), outbox.clone()),
            qos0_queue::run(self.qos0_queue.clone(), self.log.clone(), outbox),
        );
    }
}
