//! Counters of the MQTT listeners.

use std::cell::Cell;

/// Counts since the start.
#[derive(Debug, Default)]
pub struct MqttCounts {
    /// CONNECT packets that were accepted.
    pub connected: Cell<u64>,
    /// CONNECT packets that were refused.
    pub refused: Cell<u64>,
    /// Connections that gatepost ended because of a protocol error, silence, or a program that does not read or acknowledge.
    pub cut: Cell<u64>,
    /// Messages of programs at QoS 1 that are in the outbox.
    pub stored: Cell<u64>,
    /// Messages of programs that were refused.
    pub messages_refused: Cell<u64>,
    /// Messages of programs at QoS 0 that were sent.
    pub qos0_sent: Cell<u64>,
    /// Messages of programs at QoS 0 that were dropped.
    pub qos0_dropped: Cell<u64>,
    /// Messages that were sent to programs.
    pub delivered: Cell<u64>,
    /// Messages to programs that were dropped, because the program did not read or does not accept packets of that size.
    pub delivery_dropped: Cell<u64>,
}

/// Adds one.
pub(super) fn count(counter: &Cell<u64>) {
    add(counter, 1);
}

/// Adds a number.
pub(super) fn add(counter: &Cell<u64>, number: u64) {
    counter.set(counter.get().saturating_add(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_stays_at_its_maximum() {
        let counter = Cell::new(0);
        count(&counter);
        add(&counter, 2);
        assert_eq!(counter.get(), 3);
        counter.set(u64::MAX - 1);
        for _ in 0..2 {
            count(&counter);
            assert_eq!(counter.get(), u64::MAX);
        }
    }
}
