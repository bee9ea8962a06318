//! Divides the local thread's time among the MQTT connections that have more packets than they may handle in a row.
//!
//! The thread looks at its sockets once in a round, in which each busy connection has one turn. An HTTP request therefore waits for what is
//! left of a round: its packets are bounded, however many connections are busy.

use std::cell::Cell;
use std::rc::Rc;

/// Maximum number of packets in a round, unless more connections than this are busy: each handles one at least. A packet takes some five
/// microseconds, and a look at the sockets half of that.
const PACKETS_PER_ROUND: u32 = 16;

/// Counts the busy connections.
#[derive(Debug, Default)]
pub(super) struct Turns {
    busy: Rc<Cell<u32>>,
}

impl Turns {
    /// Returns the number of packets that a connection may handle before the others get their turn.
    pub(super) fn packets(&self) -> u32 {
        (PACKETS_PER_ROUND / self.busy.get().max(1)).max(1)
    }

    /// Counts a connection as busy until the guard is dropped.
    pub(super) fn begin(&self) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy {
            busy: self.busy.clone(),
        }
    }
}

/// Guard of a busy connection.
#[derive(Debug)]
pub(super) struct Busy {
    busy: Rc<Cell<u32>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.busy.set(self.busy.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_about_as_many_packets_however_many_connections_are_busy() {
        for (connections, packets) in [
            (0, 16),
            (1, 16),
            (2, 8),
            (3, 5),
            (4, 4),
            (5, 3),
            (8, 2),
            (9, 1),
            (16, 1),
            (17, 1),
            (512, 1),
        ] {
            let turns = Turns::default();
            let guards: Vec<_> = (0..connections).map(|_| turns.begin()).collect();
            assert_eq!(turns.packets(), packets, "{connections} connections");
            drop(guards);
            assert_eq!(turns.packets(), PACKETS_PER_ROUND, "after {connections} connections");
        }
    }
}
