//! Acknowledgement of messages from AWS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

/// The acknowledgement that a message gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckOutcome {
    /// Packet identifier of the message.
    pub packet_id: u16,
    /// Whether a program or the disk has the message.
    pub is_taken: bool,
}

/// Guard of a message's acknowledgement: the session acknowledges the message when the last clone is dropped.
///
/// Unless [`mark_taken`](Self::mark_taken) was called by then, nobody has the message, and the acknowledgement says so.
#[derive(Clone, Debug)]
pub struct AckGuard {
    acknowledge: Option<Arc<Acknowledge>>,
}

#[derive(Debug)]
struct Acknowledge {
    packet_id: u16,
    is_taken: AtomicBool,
    session: mpsc::UnboundedSender<AckOutcome>,
    is_window_full: Arc<AtomicBool>,
}

impl AckGuard {
    /// Makes a guard that sends the outcome to the session. `is_window_full` says whether AWS sends no further message on
    /// this connection until one is acknowledged.
    pub fn new(packet_id: u16, session: mpsc::UnboundedSender<AckOutcome>, is_window_full: Arc<AtomicBool>) -> Self {
        Self {
            acknowledge: Some(Arc::new(Acknowledge {
                packet_id,
                is_taken: AtomicBool::new(false),
                session,
                is_window_full,
            })),
        }
    }

    /// Makes a guard for a message that needs no acknowledgement.
    pub fn none() -> Self {
        Self { acknowledge: None }
    }

    /// Records that a program has the message, or the disk.
    pub fn mark_taken(&self) {
        if let Some(acknowledge) = &self.acknowledge {
            acknowledge.is_taken.store(true, Ordering::Relaxed);
        }
    }

    /// Returns whether AWS expects an acknowledgement. The number of such messages is bounded by AWS.
    pub fn is_required(&self) -> bool {
        self.acknowledge.is_some()
    }

    /// Returns whether the connection that delivered the message is lost. AWS then sends the message again.
    pub fn connection_lost(&self) -> bool {
        self.acknowledge
            .as_ref()
            .is_some_and(|acknowledge| acknowledge.session.is_closed())
    }

    /// Returns whether AWS sends no further message to any program until this or another one is acknowledged.
    pub fn blocks_others(&self) -> bool {
        self.acknowledge
            .as_ref()
            .is_some_and(|acknowledge| acknowledge.is_window_full.load(Ordering::Relaxed))
    }
}

impl Drop for Acknowledge {
    fn drop(&mut self) {
        // This fails if the connection is lost; AWS then sends the message again.
        let _ = self.session.send(AckOutcome {
            packet_id: self.packet_id,
            is_taken: self.is_taken.load(Ordering::Relaxed),
        });
    }
}
