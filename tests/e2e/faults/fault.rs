//! The faults of a run, and the order in which they happen.

use std::collections::VecDeque;

/// A fault that the test injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    GatewayKilled,
    BrokerKilled,
    BrokerWiped,
    ProgramsKilled,
    BridgeKilled,
    BridgeCut,
    BridgeHalfOpen,
    NetworkCut,
    NetworkSlow,
    NetworkHalfOpen,
    SessionExpired,
    DiskFull,
    CertificateRotated,
}

/// How often each, of a hundred. gatepostd most often: after a broken connection it waits ever longer before it connects
/// again, and only a start makes it forget that.
const FAULTS: &[(Fault, u32)] = &[
    (Fault::GatewayKilled, 52),
    (Fault::BrokerKilled, 10),
    (Fault::BrokerWiped, 5),
    (Fault::ProgramsKilled, 4),
    (Fault::BridgeKilled, 5),
    (Fault::BridgeCut, 2),
    (Fault::BridgeHalfOpen, 2),
    (Fault::NetworkCut, 5),
    (Fault::NetworkSlow, 3),
    (Fault::NetworkHalfOpen, 3),
    (Fault::SessionExpired, 3),
    (Fault::DiskFull, 4),
    (Fault::CertificateRotated, 2),
];

impl Fault {
    fn needs_root(self) -> bool {
        matches!(
            self,
            Self::NetworkCut | Self::NetworkSlow | Self::NetworkHalfOpen | Self::DiskFull
        )
    }
}

/// Draws faults: first each once, in any order, then by their weights.
pub(super) struct FaultPlan {
    once: VecDeque<Fault>,
    faults: Vec<(Fault, u32)>,
}

impl FaultPlan {
    /// All faults that this user can cause.
    pub(super) fn new(is_root: bool, random: &mut fastrand::Rng) -> Self {
        let can_happen = |(fault, _): &&(Fault, u32)| is_root || !fault.needs_root();
        let faults: Vec<_> = FAULTS.iter().filter(can_happen).copied().collect();
        let mut once: Vec<_> = faults.iter().map(|(fault, _)| *fault).collect();
        random.shuffle(&mut once);
        Self {
            once: once.into(),
            faults,
        }
    }

    /// Whether each has happened.
    pub(super) fn had_all(&self) -> bool {
        self.once.is_empty()
    }

    pub(super) fn next(&mut self, random: &mut fastrand::Rng) -> Fault {
        if let Some(fault) = self.once.pop_front() {
            return fault;
        }
        let all: u32 = self.faults.iter().map(|(_, weight)| weight).sum();
        let mut drawn = random.u32(..all);
        for (fault, weight) in &self.faults {
            match drawn.checked_sub(*weight) {
                Some(less) => drawn = less,
                None => return *fault,
            }
        }
        unreachable!("{drawn} is left")
    }
}
