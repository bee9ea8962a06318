//! The sending halves of connections. Each direction has its own task, so that a full buffer on one side never stops the other.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::session::Session;
use super::streams::{ClientWriter, close};
use crate::events::Event;

/// A packet or an order for the task that writes to a client.
#[derive(Debug)]
pub(super) enum Outgoing {
    Packet(Bytes),
    /// A PUBACK, which the switches can delay or swallow.
    Puback {
        packet_id: u16,
        bytes: Bytes,
    },
}

pub(super) async fn to_client(session: Arc<Session>, mut write: ClientWriter, mut queue: mpsc::Receiver<Outgoing>) {
    let mut delayed: VecDeque<(Instant, u16, Bytes)> = VecDeque::new();
    loop {
        let first = delayed.front().map(|(due, ..)| *due);
        let due = async move {
            match first {
                Some(due) => sleep_until(due).await,
                None => pending().await,
            }
        };
        let sent = tokio::select! {
            outgoing = queue.recv() => match outgoing {
                None => break,
                Some(Outgoing::Packet(bytes)) => write_all(&mut write, &bytes).await,
                Some(Outgoing::Puback { .. }) if session.cloud.switches.swallow_puback() => {
                    session.cloud.events.push(Event::PubackSwallowed { client_id: session.client_id.clone() });
                    true
                }
                Some(Outgoing::Puback { packet_id, bytes }) => {
                    match session.cloud.switches.get(|switches| switches.delay_pubacks) {
                        Some(delay) => {
                            delayed.push_back((Instant::now() + delay, packet_id, bytes));
                            true
                        }
                        None => acknowledge(&session, &mut write, packet_id, &bytes).await,
                    }
                }
            },
            () = due => match delayed.pop_front() {
                Some((_, packet_id, bytes)) => acknowledge(&session, &mut write, packet_id, &bytes).await,
                None => true,
            },
        };
        if !sent {
            break;
        }
    }
    close(&mut write).await;
}

pub(super) async fn to_broker(mut write: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(bytes) = queue.recv().await {
        if !write_all(&mut write, &bytes).await {
            return;
        }
    }
}

async fn acknowledge(session: &Session, write: &mut ClientWriter, packet_id: u16, bytes: &[u8]) -> bool {
    session.state.lock().unacknowledged.remove(&packet_id);
    write_all(write, bytes).await
}

async fn write_all(write: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> bool {
    write.write_all(bytes).await.is_ok() && write.flush().await.is_ok()
}
