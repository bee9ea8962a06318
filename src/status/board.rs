//! The reading ends of all parts.

use tokio::sync::watch;

use super::details::{
    ClockDetails, IdentityDetails, LoopbackDetails, MessagesDetails, NetworkDetails, ProvisioningDetails,
    SessionDetails, TokenDetails,
};
use super::phases::{
    ClockPhase, IdentityPhase, LoopbackPhase, MessagesPhase, NetworkPhase, ProvisioningPhase, SessionPhase, TokenPhase,
};
use super::{ConfigurationPart, Part};
use crate::problem::Problem;

/// The token's part.
pub type TokenPart = Part<TokenPhase, TokenDetails>;
/// The clock's part.
pub type ClockPart = Part<ClockPhase, ClockDetails>;
/// The identity's part.
pub type IdentityPart = Part<IdentityPhase, IdentityDetails>;
/// Provisioning's part.
pub type ProvisioningPart = Part<ProvisioningPhase, ProvisioningDetails>;
/// The session's part.
pub type SessionPart = Part<SessionPhase, SessionDetails>;
/// The message store's part.
pub type MessagesPart = Part<MessagesPhase, MessagesDetails>;
/// The loopback listener's part.
pub type LoopbackPart = Part<LoopbackPhase, LoopbackDetails>;
/// The part of this machine's own network.
pub type NetworkPart = Part<NetworkPhase, NetworkDetails>;

/// The reading ends of all parts.
#[derive(Clone, Debug)]
pub struct StatusBoard {
    /// The token.
    pub token: watch::Receiver<TokenPart>,
    /// The clock.
    pub clock: watch::Receiver<ClockPart>,
    /// Key and certificate.
    pub identity: watch::Receiver<IdentityPart>,
    /// Provisioning.
    pub provisioning: watch::Receiver<ProvisioningPart>,
    /// The MQTT session.
    pub session: watch::Receiver<SessionPart>,
    /// The outbox and the inbox.
    pub messages: watch::Receiver<MessagesPart>,
    /// The loopback listener, while one is configured.
    pub loopback: watch::Receiver<Option<watch::Receiver<LoopbackPart>>>,
    /// This machine's own network.
    pub network: watch::Receiver<NetworkPart>,
    /// The configuration in use, and the files on disk.
    pub configuration: watch::Receiver<ConfigurationPart>,
}

impl StatusBoard {
    /// The loopback listener's part, if one is configured now.
    pub fn loopback(&self) -> Option<LoopbackPart> {
        self.loopback.borrow().as_ref().map(|part| part.borrow().clone())
    }

    /// Returns the problem that keeps this gateway offline; of several, the root cause, since the other parts wait for it.
    pub fn obstacle(&self) -> Option<Problem> {
        let token = self.token.borrow().problem.clone();
        // A clock that is wrong keeps nobody offline; one that is not set does.
        let clock = || {
            let part = self.clock.borrow();
            part.problem.clone().filter(|_| part.phase == ClockPhase::Unset)
        };
        let identity = || self.identity.borrow().problem.clone();
        let provisioning = || self.provisioning.borrow().problem.clone();
        token.or_else(identity).or_else(clock).or_else(provisioning)
    }
}
