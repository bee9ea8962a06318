//! The end of a connection: what it says of the messages that were under way.

use std::time::Duration;

use super::{ANSWERED_OTHERWISE, Publisher, Suspect};
use crate::cloud::mqtt::Lost;
use crate::mqtt::LATEST_ANSWER;

impl Publisher {
    /// The connection is gone. `suspicious` if what was sent last may have been the reason. Returns whether it is known to be a
    /// message at quality of service 0.
    pub(in crate::cloud::session) async fn disconnected(&mut self, suspicious: bool, lost: Option<&Lost>) -> bool {
        let code = match lost {
            Some(Lost::Disconnected(reason)) => Some(reason.code),
            _ => None,
        };
        if matches!(lost, Some(Lost::Unanswered)) {
            self.strike_unanswered();
        }
        let sent = self.unanswered.lost();
        let explained = !sent.is_empty() && code.is_some_and(|code| ANSWERED_OTHERWISE.contains(&code));
        if explained {
            self.unanswered.doubt();
        } else if suspicious {
            let ago = if sent.is_empty() {
                self.last_sent.elapsed()
            } else {
                Duration::ZERO
            };
            let under_way = self.under_way.values().map(|(under_way, _)| under_way.suspect());
            self.suspects
                .lost(under_way.chain(sent.into_iter().map(Suspect::Qos0Message)), ago);
        }
        // What was read and not sent counts as sent for the outbox, and comes again as well.
        self.asked = None;
        self.fetched.clear();
        self.deferred.clear();
        self.under_way.clear();
        self.waiting = None;
        self.buffer_is_full = false;
        self.window_is_full = false;
        self.outbox.connection_lost().await;
        explained
    }

    /// AWS has left messages unanswered until the connection was given up.
    fn strike_unanswered(&mut self) {
        let overdue = self.under_way.values();
        let overdue = overdue.filter(|(_, since)| since.elapsed() >= LATEST_ANSWER);
        let (mut ids, mut kinds) = (Vec::new(), Vec::new());
        for (under_way, _) in overdue {
            match under_way.suspect() {
                Suspect::Outgoing(id) => ids.push(id),
                Suspect::Qos0Message(kind) => kinds.push(kind),
            }
        }
        if self.unacknowledged.unanswered(ids.into_iter()) {
            for kind in kinds {
                // Its program is told already that it was not sent.
                drop(
                    self.unanswered
                        .refuse(kind, "it is never acknowledged, though others are"),
                );
            }
        }
    }
}
