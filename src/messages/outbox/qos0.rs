//! QoS 0 messages, which are not stored: they are sent at once or not at all.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::messages::message::Message;
use crate::problem::Problem;

/// Messages that wait for the session.
const MAX_WAITING: usize = 64;
/// How long the session may take to send a message before it is dropped.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// A QoS 0 message for the session.
#[derive(Debug)]
pub struct Qos0Message {
    /// The message.
    pub message: Message,
    /// Receives the outcome: sent, or why not.
    pub sent: oneshot::Sender<Result<(), Problem>>,
}

/// Queue of QoS 0 messages to the session.
#[derive(Clone, Debug)]
pub(in crate::messages) struct Qos0Queue(mpsc::Sender<Qos0Message>);

impl Qos0Queue {
    /// Makes a queue, and the session's end of it.
    pub(in crate::messages) fn new() -> (Self, mpsc::Receiver<Qos0Message>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        (Self(sender), receiver)
    }

    /// Waits for room, and passes a message to the session.
    pub(in crate::messages) async fn start(
        &self,
        message: Message,
    ) -> Result<oneshot::Receiver<Result<(), Problem>>, Problem> {
        let (sent, outcome) = oneshot::channel();
        let ended = |_| Problem::wait("gatepost is ending");
        self.0.send(Qos0Message { message, sent }).await.map_err(ended)?;
        Ok(outcome)
    }

    /// Passes a message to the session, and waits until it is sent.
    pub(in crate::messages) async fn send(&self, message: Message) -> Result<(), Problem> {
        let (sent, outcome) = oneshot::channel();
        let busy = || Problem::wait("too many messages at quality of service 0 are waiting for the session");
        self.0.try_send(Qos0Message { message, sent }).map_err(|_| busy())?;
        match timeout(SEND_TIMEOUT, outcome).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Err(Problem::wait("the MQTT session ended before the message was sent")),
            Err(_) => Err(Problem::wait(format!(
                "the MQTT session has not sent the message in {} s: others were ahead of it, or AWS accepts nothing",
                SEND_TIMEOUT.as_secs()
            ))),
        }
    }
}
