//! The state that the MQTT connections share.

use std::cell::{Cell, RefCell};
use std::net::TcpListener;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::counts::count;
use super::held_socket::SocketHolder;
use super::listener_status::ListenerStatus;
use super::log::MqttLog;
use super::overload::{MAX_ANSWERING, refuse_for_lack_of_slots};
use super::publish_queue::{self, PublishQueue};
use super::qos0_queue::{self, Qos0Queue};
use super::registry::Registry;
use super::tokens::MqttTokens;
use super::turns::Turns;
use crate::config::LocalMqtt;
use crate::local::access::AccessRules;
use crate::local::caller::TokenHolder;
use crate::local::loopback::LoopbackSlot;
use crate::messages::Outbox;
use crate::status::StatusHub;

/// The state of the MQTT listeners and their connections.
#[derive(Debug)]
pub struct MqttState {
    configured: watch::Sender<LocalMqtt>,
    /// Whether programs can connect.
    pub status: ListenerStatus,
    /// The socket of the address.
    pub socket: SocketHolder,
    tokens: MqttTokens,
    /// Connections without a slot that are being refused.
    answering: Cell<usize>,
    /// The clients that are connected.
    pub(super) registry: Registry,
    /// QoS 1 messages on their way to the outbox.
    pub(super) publish_queue: PublishQueue,
    /// QoS 0 messages on their way to the session.
    pub(super) qos0_queue: Rc<Qos0Queue>,
    /// The connections that have more to do.
    pub(super) turns: Turns,
    /// Counters and journal lines.
    pub log: Rc<MqttLog>,
}

impl MqttState {
    /// Creates the state of listeners as configured. The Unix socket is at `socket_path`. The service manager may have passed the
    /// socket of the address.
    pub fn new(config: LocalMqtt, socket_path: PathBuf, inherited: Option<TcpListener>, hub: &StatusHub) -> Self {
        Self {
            configured: watch::Sender::new(config),
            status: ListenerStatus::new(config, socket_path, hub),
            socket: SocketHolder::new(inherited),
            tokens: MqttTokens::default(),
            answering: Cell::new(0),
            registry: Registry::default(),
            publish_queue: PublishQueue::new(),
            qos0_queue: Rc::default(),
            turns: Turns::default(),
            log: Rc::default(),
        }
    }

    /// Configures the listeners.
    pub fn configure(&self, config: LocalMqtt) {
        if *self.configured.borrow() != config {
            self.status.configure(config);
            self.configured.send_replace(config);
        }
    }

    /// Subscribes to changes of the configuration.
    pub fn watch(&self) -> watch::Receiver<LocalMqtt> {
        self.configured.subscribe()
    }

    /// Whether any listener is configured.
    pub fn is_configured(&self) -> bool {
        let configured = *self.configured.borrow();
        configured.socket || configured.listen.is_some()
    }

    /// Reads the secrets that the rules name, if programs need any.
    pub async fn read_tokens(&self, access: &RefCell<AccessRules>) {
        if self.configured.borrow().listen.is_some() {
            let problem = self.tokens.read(access).await;
            self.status.report_tokens(problem);
        }
    }

    /// Refuses a connection for which there is no slot.
    pub async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        count(&self.log.counts.refused);
        if self.answering.get() < MAX_ANSWERING {
            self.answering.set(self.answering.get() + 1);
            refuse_for_lack_of_slots(stream).await;
            self.answering.set(self.answering.get() - 1);
        }
    }

    /// Finds the holder of a password.
    pub(super) fn holder_of(&self, password: &[u8], loopback: &LoopbackSlot) -> Option<TokenHolder> {
        self.tokens.holder_of(password, loopback)
    }

    /// The clients that are connected.
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

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;
    use crate::clock::SharedClock;
    use crate::clock::manual::ManualClock;

    fn state() -> MqttState {
        let clock: SharedClock = ManualClock::at(1_893_456_000);
        MqttState::new(
            LocalMqtt::default(),
            "/run/mqtt.sock".into(),
            None,
            &StatusHub::new(clock),
        )
    }

    #[test]
    fn the_listeners_learn_of_a_change_and_of_nothing_else() {
        let state = state();
        let mut changes = state.watch();
        let listen = Some("127.0.0.1:1883".parse().unwrap());
        for (socket, listen, has_changed) in [
            (false, None, false),
            (true, None, true),
            (true, None, false),
            (true, listen, true),
            (false, listen, true),
            (false, None, true),
        ] {
            state.configure(LocalMqtt { socket, listen });
            assert_eq!(changes.has_changed().unwrap(), has_changed, "{socket} {listen:?}");
            changes.mark_unchanged();
            assert_eq!(state.is_configured(), socket || listen.is_some());
        }
    }

    /// Programs that connect too often must not keep the thread busy with answers.
    #[tokio::test(start_paused = true)]
    async fn connections_without_a_slot_are_counted_and_a_few_at_a_time_are_answered() {
        let state = state();
        let mut programs = Vec::new();
        let mut refusals = Vec::new();
        for _ in 0..=MAX_ANSWERING {
            let (program, stream) = duplex(64);
            programs.push(program);
            refusals.push(Box::pin(state.refuse(stream)));
        }
        let mut at_once = 0;
        for refusal in &mut refusals {
            tokio::select! {
                biased;
                () = refusal => at_once += 1,
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(at_once, 1, "the one above the limit is closed without an answer");
        assert_eq!((state.answering.get(), state.client_count()), (MAX_ANSWERING, 0));
        assert_eq!(state.log.counts.refused.get(), MAX_ANSWERING as u64 + 1);
    }
}
