//! Conclusions from failed attempts to connect: whether AWS was reached at all, since when it drops connections, and whether a
//! connection has ever succeeded.

use std::time::Duration;

use tokio::time::Instant;

use super::timing::STABLE;
use crate::cloud::mqtt::{ConnectError, Lost};
use crate::failure_streak::{FailureStreak, Outlook};
use crate::mqtt::ProtocolError;
use crate::problem::Problem;

/// Number of failures of one kind, after about three minutes, from which on the cause is not an outage if no attempt ever succeeded.
pub(super) const FAILURE_LIMIT: u32 = 10;

/// Kind of a failed attempt. Different kinds have different causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// AWS has not seen a CONNECT.
    Unreachable,
    /// The connection was lost before CONNACK.
    Dropped,
    /// The server does not speak MQTT 5.
    NotMqtt,
    /// CONNACK with a reason code of failure.
    Refused,
}

impl From<&ConnectError> for FailureKind {
    fn from(error: &ConnectError) -> Self {
        match error {
            ConnectError::Unreachable(_) => Self::Unreachable,
            ConnectError::LostBeforeConnack(_) => Self::Dropped,
            ConnectError::NotMqtt(_) | ConnectError::Protocol(_) => Self::NotMqtt,
            ConnectError::Refused(_) => Self::Refused,
        }
    }
}

/// Number of connections in a row that end by the same fault of the server, from which on the fault is reported as lasting.
const LOSS_LIMIT: u32 = 3;

/// A fault of the server that ends connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Protocol(ProtocolError),
    Unanswered,
}

/// Failures since the last connection.
#[derive(Debug)]
pub struct Outage {
    /// Whether the last attempt did not reach AWS.
    unreached: bool,
    /// Time of the first connection in a row that AWS dropped before CONNACK.
    dropped_since: Option<Instant>,
    streak: FailureStreak<FailureKind>,
    /// Connections in a row that ended by the same fault.
    faults: FailureStreak<Fault>,
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            unreached: false,
            dropped_since: None,
            streak: FailureStreak::new(FAILURE_LIMIT),
            faults: FailureStreak::new(LOSS_LIMIT),
        }
    }
}

impl Outage {
    /// Records that AWS has accepted a connection.
    pub(super) fn end(&mut self) {
        self.unreached = false;
        self.dropped_since = None;
        self.streak.succeed();
    }

    /// Records the loss of a connection after `lasted`. If AWS gave a reason, the network works. Returns whether the last connections
    /// have all ended by the same fault of the server.
    pub(super) fn lost(&mut self, lost: &Lost, lasted: Duration) -> bool {
        self.unreached = matches!(lost, Lost::Broken(_) | Lost::GivenUp(_) | Lost::Stale);
        let fault = match lost {
            Lost::Protocol(error) => Some(Fault::Protocol(*error)),
            Lost::Unanswered => Some(Fault::Unanswered),
            Lost::Broken(_) | Lost::GivenUp(_) | Lost::Stale | Lost::Disconnected(_) => None,
        };
        // An unanswered packet is noticed after a minute only. With any other end, a connection of this length was sound.
        if lasted >= STABLE && fault != Some(Fault::Unanswered) {
            self.faults.reset();
        }
        match fault {
            Some(fault) => self.faults.fail(fault) == Outlook::NeverSucceeded,
            None => false,
        }
    }

    /// Records a failed attempt. `has_connected` says whether an earlier run has connected.
    pub(super) fn failed(&mut self, error: &ConnectError, has_connected: bool, now: Instant) {
        self.streak.remember_success(has_connected);
        self.unreached = matches!(error, ConnectError::Unreachable(_));
        match error {
            ConnectError::LostBeforeConnack(_) => {
                self.dropped_since.get_or_insert(now);
            }
            ConnectError::Refused(_) => self.dropped_since = None,
            ConnectError::Unreachable(_) | ConnectError::NotMqtt(_) | ConnectError::Protocol(_) => {}
        }
        self.streak.fail(error.into());
    }

    /// Returns the problem of the last attempt. If none has ever succeeded, it suggests what to check.
    pub(super) fn judge(&self, problem: Problem) -> Problem {
        self.streak.outlook().judge(
            problem,
            "check aws.mqtt-endpoint, the name service, and that the firewall allows its TCP port outbound",
        )
    }

    /// Returns whether the wait may end early when the network changes or another endpoint answers. If AWS answered, throttled or dropped
    /// the connection, full jitter must keep the gateways of a fleet apart.
    pub(super) fn may_be_cut_short(&self) -> bool {
        self.unreached
    }

    /// Returns whether the credentials provider accepted a certificate, at `accepted`, after AWS began to drop MQTT connections.
    pub(super) fn proves_active(&self, accepted: Instant) -> bool {
        self.dropped_since.is_some_and(|since| accepted >= since)
    }
}

#[cfg(test)]
mod tests {
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
    fn a_wait_ends_early_only_if_aws_was_not_reached() {
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
            (Lost::GivenUp("not even PINGRESP".into()), true),
            (Lost::Stale, true),
            (Lost::Unanswered, false),
            (Lost::Disconnected(reason), false),
        ] {
            let mut outage = Outage::default();
            outage.lost(&lost, Duration::ZERO);
            assert_eq!(outage.may_be_cut_short(), expected, "{lost:?}");
        }
    }

    #[test]
    fn connections_that_end_in_a_row_by_the_same_fault_are_recognised() {
        let error = |what| {
            Lost::Protocol(ProtocolError {
                what,
                ..ProtocolError::BEFORE_CONNACK
            })
        };
        let broken = || Lost::Broken("reset".into());
        type Case<'a> = (&'a str, Vec<(Lost, u64)>, bool);
        let cases: Vec<Case> = vec![
            ("one protocol error", vec![(error("a"), 0)], false),
            ("two", vec![(error("a"), 0), (error("a"), 0)], false),
            ("three", vec![(error("a"), 0), (error("a"), 0), (error("a"), 0)], true),
            (
                "different ones",
                vec![(error("a"), 0), (error("b"), 0), (error("a"), 0)],
                false,
            ),
            (
                "the network between",
                vec![(error("a"), 0), (broken(), 0), (error("a"), 0), (error("a"), 0)],
                true,
            ),
            (
                "a good connection between",
                vec![(error("a"), 0), (error("a"), 0), (broken(), 30), (error("a"), 0)],
                false,
            ),
            (
                "each after a good connection",
                vec![(error("a"), 86_400), (error("a"), 86_400), (error("a"), 86_400)],
                false,
            ),
            (
                "unanswered, which takes its time",
                vec![(Lost::Unanswered, 60), (Lost::Unanswered, 90), (Lost::Unanswered, 60)],
                true,
            ),
            (
                "unanswered and a protocol error in turn",
                vec![(Lost::Unanswered, 60), (error("a"), 0), (Lost::Unanswered, 60)],
                false,
            ),
            ("the network", vec![(broken(), 0), (broken(), 0), (broken(), 0)], false),
        ];
        for (what, ends, expected) in cases {
            let mut outage = Outage::default();
            let mut last = false;
            for (lost, lasted) in ends {
                last = outage.lost(&lost, Duration::from_secs(lasted));
            }
            assert_eq!(last, expected, "{what}");
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
        assert!(!outage.proves_active(after(50)), "a refusal is not a drop");
        outage.failed(&dropped(), true, after(60));
        outage.end();
        assert!(!outage.proves_active(after(70)));
    }

    #[test]
    fn if_no_attempt_ever_succeeded_the_problem_suggests_what_to_check() {
        let now = Instant::now();
        for (has_connected, remedy) in [(false, Remedy::Configuration), (true, Remedy::Wait)] {
            let mut outage = Outage::default();
            for _ in 1..FAILURE_LIMIT {
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
