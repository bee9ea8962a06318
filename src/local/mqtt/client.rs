//! One MQTT connection besides its socket: the protocol, the other end's identity and, once CONNECT is accepted, the session.

use std::rc::Rc;

use tokio::time::Instant;

use super::connect::{Handshake, describe};
use super::counts::count;
use super::identity::Identity;
use super::mailbox::Mailbox;
use super::session::Session;
use crate::local::context::ApiContext;
use crate::local::listeners::ConnectionSlot;
use crate::mqtt::packet::{Connect, Publish};
use crate::mqtt::{Action, Close, ReasonCode, Server, ServerOptions};

/// One connection.
pub(super) struct Client {
    pub(super) context: Rc<ApiContext>,
    pub(super) server: Server,
    pub(super) slot: ConnectionSlot,
    pub(super) mailbox: Rc<Mailbox>,
    /// Set once CONNECT is accepted.
    pub(super) session: Option<Session>,
    identity: Identity,
}

impl Client {
    pub(super) fn new(context: Rc<ApiContext>, identity: Identity, slot: ConnectionSlot) -> Self {
        Self {
            context,
            server: Server::new(ServerOptions::default(), Instant::now()),
            mailbox: Rc::new(Mailbox::new(slot.connection.signal().clone())),
            slot,
            session: None,
            identity,
        }
    }

    /// Names the client in messages.
    pub(super) fn name(&self) -> String {
        match &self.session {
            Some(session) => session.principal.name.to_string(),
            None => self.identity.to_string(),
        }
    }

    /// Handles PUBLISH.
    pub(super) fn publish(&mut self, publish: Publish) {
        if let Some(session) = &mut self.session {
            session.publish(publish, &mut self.server);
        }
    }

    /// Handles PUBACK.
    pub(super) fn acknowledge(&mut self, packet_id: u16, code: ReasonCode) {
        if let Some(session) = &mut self.session {
            session.acknowledge(packet_id, code);
        }
    }

    /// Handles CONNECT, SUBSCRIBE and UNSUBSCRIBE, whose answers may take a while. Returns false if CONNECT is refused.
    pub(super) async fn handle_request(&mut self, action: Action) -> bool {
        match (action, &mut self.session) {
            (Action::Connect(connect), _) => return self.connect(&connect).await,
            (Action::Subscribe(subscribe), Some(session)) => session.subscribe(subscribe, &mut self.server).await,
            (Action::Unsubscribe(unsubscribe), Some(session)) => {
                session.unsubscribe(&unsubscribe, &mut self.server).await;
            }
            // The protocol lets no request through before CONNECT is accepted.
            (Action::Subscribe(_) | Action::Unsubscribe(_), None)
            | (Action::Publish(_) | Action::Acknowledged(..) | Action::Close(_), _) => {}
        }
        true
    }

    /// Answers CONNECT; false if it is refused.
    async fn connect(&mut self, connect: &Connect) -> bool {
        let handshake = Handshake {
            context: &self.context,
            identity: &self.identity,
            slot: &self.slot,
            mailbox: &self.mailbox,
        };
        match handshake.accept(connect).await {
            Ok((session, acceptance)) => {
                count(&self.context.mqtt.log.counts.connected);
                self.session = Some(session);
                self.server.accept(acceptance, Instant::now());
                true
            }
            Err(refusal) => {
                let name = describe(&self.identity, &connect.client_id);
                self.context.mqtt.log.refuse_client(&name, &refusal.words);
                self.server.refuse(refusal.code, Some(&refusal.words));
                false
            }
        }
    }

    /// Sends what is due before the next packet is read. Returns the end of the connection, if something ends it.
    pub(super) fn send_due(&mut self, now: Instant) -> Option<Close> {
        if let Some(resumes) = self.mailbox.taken_over() {
            return Some(self.server.take_over(resumes));
        }
        self.session.as_mut()?.send_due(&mut self.server, now)
    }

    /// Returns whether nothing is read, because the client sends too fast.
    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_paused(now))
    }

    /// Slows down reading from a client that sends more packets than its account may.
    pub(super) fn pace(&mut self, packets: u32, now: Instant) {
        if let Some(session) = &mut self.session {
            session.pace(packets, now);
        }
    }

    /// Returns when [`check_time`](Self::check_time) is due next.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let session = self.session.as_ref().and_then(|session| session.deadline(now));
        [self.server.deadline(), session].into_iter().flatten().min()
    }

    /// Ends the connection if the client does not take its messages, or is silent for too long.
    pub(super) fn check_time(&mut self, now: Instant) -> Option<Close> {
        let late = self
            .session
            .as_ref()
            .and_then(|session| session.check_acknowledgements(&mut self.server, now));
        late.or_else(|| self.server.check_time(now))
    }
}
