//! Read access to the status of all parts.

use tokio::sync::watch;

use super::configuration::ConfigurationPart;
use super::credentials_files::CredentialsFilesDetails;
use super::details::{
    ClockDetails, IdentityDetails, MessagesDetails, NetworkDetails, ProvisioningDetails, SessionDetails, TokenDetails,
};
use super::listeners::{AcceptingDetails, LocalMqttDetails, LoopbackDetails};
use super::phases::{
    AcceptingPhase, ClockPhase, CredentialsFilesPhase, IdentityPhase, LocalMqttPhase, LoopbackPhase, MessagesPhase,
    NetworkPhase, ProvisioningPhase, SessionPhase, TokenPhase,
};
use super::reporter::Part;
use crate::problem::Problem;

/// The status of the token.
pub type TokenPart = Part<TokenPhase, TokenDetails>;
/// The status of the clock.
pub type ClockPart = Part<ClockPhase, ClockDetails>;
/// The status of the identity.
pub type IdentityPart = Part<IdentityPhase, IdentityDetails>;
/// The status of provisioning.
pub type ProvisioningPart = Part<ProvisioningPhase, ProvisioningDetails>;
/// The status of the session.
pub type SessionPart = Part<SessionPhase, SessionDetails>;
/// The status of the message store.
pub type MessagesPart = Part<MessagesPhase, MessagesDetails>;
/// The status of the loopback listener.
pub type LoopbackPart = Part<LoopbackPhase, LoopbackDetails>;
/// The status of the MQTT listeners.
pub type LocalMqttPart = Part<LocalMqttPhase, LocalMqttDetails>;
/// The status of accepting connections.
pub type AcceptingPart = Part<AcceptingPhase, AcceptingDetails>;
/// The status of the credentials files.
pub type CredentialsFilesPart = Part<CredentialsFilesPhase, CredentialsFilesDetails>;
/// The status of this machine's own network.
pub type NetworkPart = Part<NetworkPhase, NetworkDetails>;

/// The receivers of the status of all parts.
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
    /// The listeners for programs that speak MQTT.
    pub local_mqtt: watch::Receiver<LocalMqttPart>,
    /// Whether connections are accepted at all listeners.
    pub accepting: watch::Receiver<AcceptingPart>,
    /// The credentials files.
    pub credentials_files: watch::Receiver<CredentialsFilesPart>,
    /// This machine's own network.
    pub network: watch::Receiver<NetworkPart>,
    /// The configuration in use, and the files on disk.
    pub configuration: watch::Receiver<ConfigurationPart>,
}

impl StatusBoard {
    /// Returns the status of the loopback listener, if one is configured.
    pub fn loopback(&self) -> Option<LoopbackPart> {
        self.loopback.borrow().as_ref().map(|part| part.borrow().clone())
    }

    /// Returns the problem that keeps this gateway offline. If there are several, returns the root cause, which the others follow from.
    pub fn obstacle(&self) -> Option<Problem> {
        let token = self.token.borrow().problem.clone();
        // A clock that is merely wrong does not keep the gateway offline, but one that is not set does.
        let clock = || {
            let part = self.clock.borrow();
            part.problem.clone().filter(|_| part.phase == ClockPhase::Unset)
        };
        let identity = || self.identity.borrow().problem.clone();
        let provisioning = || self.provisioning.borrow().problem.clone();
        token.or_else(identity).or_else(clock).or_else(provisioning)
    }
}
