//! What others hear of us: online, offline, and the will that AWS publishes when we vanish.

use super::words;
use crate::cloud::mqtt::{Connection, Message};
use crate::problem::Problem;

/// What there is to announce.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Online,
    Offline,
}

/// Presence, where it is wanted and AWS allows it. Never a reason to be without a session.
#[derive(Debug)]
pub struct Presence {
    topic: Option<String>,
    allowed: bool,
}

impl Presence {
    /// Presence on `topic`, in which `{thing}` stands for the thing name; none without a topic.
    pub fn new(topic: Option<String>) -> Self {
        Self { topic, allowed: true }
    }

    /// The message, unless there is no presence.
    pub(super) fn message(&self, thing: &str, state: State) -> Option<Message> {
        let topic = self.topic.as_ref().filter(|_| self.allowed)?;
        let state = match state {
            State::Online => "online",
            State::Offline => "offline",
        };
        let payload = serde_json::json!({ "state": state, "version": env!("CARGO_PKG_VERSION") });
        Some(Message {
            topic: topic.replace("{thing}", thing),
            payload: payload.to_string().into_bytes(),
        })
    }

    /// Publishes the message; returns the packet ID by which AWS will answer.
    pub(super) fn announce(&self, connection: &mut Connection, thing: &str, state: State) -> Option<u16> {
        let message = self.message(thing, state)?;
        connection
            .publish(&message)
            .inspect_err(|error| log::debug!("session: presence was not sent: {error}"))
            .ok()
    }

    /// Presence is tried again.
    pub(super) fn allow(&mut self) {
        self.allowed = true;
    }

    /// AWS has refused the topic.
    pub(super) fn refused(&mut self) {
        self.allowed = false;
    }

    /// AWS has refused a connection, perhaps because of the will, perhaps not: the next one is made the other way.
    pub(super) fn try_the_other_way(&mut self) {
        self.allowed = !self.allowed;
    }

    /// What to say while presence is wanted and not allowed.
    pub(super) fn refusal(&self) -> Option<Problem> {
        self.topic
            .as_deref()
            .filter(|_| !self.allowed)
            .map(words::presence_refused)
    }
}
