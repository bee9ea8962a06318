//! Concludes from failed attempts to connect: whether AWS was reached at all, since when it drops connections,
//! and whether a connection has ever succeeded.

use tokio::time::Instant;

use crate::cloud::mqtt::{ConnectError, Lost};
use crate::failure_streak::FailureStreak;
use crate::problem::Problem;

/// After so many failures of one kind, three minutes or so, what never succeeded is no outage any more.
const TELLING_FAILURES: u32 = 10;

/// The failures since the last connection.
#[derive(Debug)]
pub struct Outage {
    unreached: bool,
    dropped_since: Option<Instant>,
    streak: FailureStreak<&'static str>,
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            unreached: false,
            dropped_since: None,
            streak: FailureStreak::new(TELLING_FAILURES),
        }
    }
}

impl Outage {
    /// AWS has accepted a connection.
    pub(super) fn end(&mut self) {
        self.unreached = false;
        self.dropped_since = None;
        self.streak.succeed();
    }

    /// A connection was lost. Where AWS ended it with a reason, the network is not what is wrong.
    pub(super) fn lost(&mut self, lost: &Lost) {
        self.unreached = matches!(lost, Lost::Broken(_) | Lost::GivenUp(_) | Lost::Stale);
    }

    /// An attempt has failed. `has_connected` is what the records say about earlier runs.
    pub(super) fn failed(&mut self, error: &ConnectError, has_connected: bool, now: Instant) {
        self.streak.remember_success(has_connected);
        self.unreached = matches!(error, ConnectError::Unreachable(_));
        match error {
            ConnectError::LostBeforeConnack(_) => {
                self.dropped_since.get_or_insert(now);
            }
            ConnectError::Refused(_) => self.dropped_since = None,
            ConnectError::Unreachable(_) | ConnectError::NotMqtt(_) | ConnectError::Breach(_) => {}
        }
        self.streak.fail(match error {
            ConnectError::Unreachable(_) => "unreachable",
            ConnectError::LostBeforeConnack(_) => "dropped",
            ConnectError::NotMqtt(_) | ConnectError::Breach(_) => "not MQTT",
            ConnectError::Refused(_) => "refused",
        });
    }

    /// The problem of the last attempt; where none has ever succeeded, it names what to look at.
    pub(super) fn judge(&self, problem: Problem) -> Problem {
        self.streak.outlook().judge(
            problem,
            "check aws.mqtt-endpoint, the name service, and that a firewall lets its TCP port out",
        )
    }

    /// Whether the wait may be cut short when the network has changed or another endpoint has answered. Not where AWS has
    /// answered, throttled or dropped: there full jitter keeps a fleet apart.
    pub(super) fn may_be_cut_short(&self) -> bool {
        self.unreached
    }

    /// Whether the credentials provider has accepted a certificate at `accepted`, after MQTT connections began to be dropped.
    pub(super) fn proves_active(&self, accepted: Instant) -> bool {
        self.dropped_since.is_some_and(|since| accepted >= since)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cloud::mqtt::{Reason, ReasonCode};
    use crate::problem::Remedy;

    fn unreachable() -> ConnectError {
        ConnectError::Unreachable(Problem::wait("no route"))
    }

    fn dropped() -> ConnectError {
        ConnectError::LostBeforeConnack("end of stream".into())
    }

    fn refused() -> ConnectError {
        ConnectError::Refused(Reason {
            code: ReasonCode(0x97),
            words: None,
        })
    }

    #[test]
    fn only_where_aws_was_not_reached_is_a_wait_cut_short() {
        let now = Instant::now();
        let cases = [
            (unreachable(), true),
            (dropped(), false),
            (refused(), false),
            (ConnectError::NotMqtt("HTTP".into()), false),
        ];
        for (error, expected) in cases {
            let mut outage = Outage::default();
            outage.failed(&error, true, now);
            assert_eq!(outage.may_be_cut_short(), expected, "{error:?}");
        }
        let reason = Reason {
            code: ReasonCode::SESSION_TAKEN_OVER,
            words: None,
        };
        for (lost, expected) in [
            (Lost::Broken("reset".into()), true),
            (Lost::GivenUp("no PINGRESP".into()), true),
            (Lost::Stale, true),
            (Lost::Unanswered, false),
            (Lost::Disconnected(reason), false),
        ] {
            let mut outage = Outage::default();
            outage.lost(&lost);
            assert_eq!(outage.may_be_cut_short(), expected, "{lost:?}");
        }
    }

    #[test]
    fn the_provider_proves_a_certificate_only_after_the_first_drop() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut outage = Outage::default();
        assert!(!outage.proves_active(after(1)), "nothing was dropped");
        outage.failed(&dropped(), true, after(10));
        outage.failed(&unreachable(), true, after(20));
        outage.failed(&dropped(), true, after(30));
        assert!(!outage.proves_active(after(5)), "it may have been deactivated since");
        assert!(outage.proves_active(after(15)));
        outage.failed(&refused(), true, after(40));
        assert!(!outage.proves_active(after(50)), "a refusal is no drop");
        outage.failed(&dropped(), true, after(60));
        outage.end();
        assert!(!outage.proves_active(after(70)));
    }

    #[test]
    fn what_never_succeeded_names_suspects() {
        let now = Instant::now();
        for (has_connected, remedy) in [(false, Remedy::Configuration), (true, Remedy::Wait)] {
            let mut outage = Outage::default();
            for _ in 1..TELLING_FAILURES {
                outage.failed(&unreachable(), has_connected, now);
                assert_eq!(outage.judge(Problem::wait("no route")), Problem::wait("no route"));
            }
            outage.failed(&unreachable(), has_connected, now);
            assert_eq!(
                outage.judge(Problem::wait("no route")).remedy,
                remedy,
                "{has_connected}"
            );
        }
    }
}
