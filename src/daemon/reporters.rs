//! The status reporters of all parts.

use std::path::Path;
use std::rc::Rc;

use super::details::{configuration_details, identity_details, session_details, token_details};
use crate::clock::Clock;
use crate::cloud::SessionReporters;
use crate::config::Config;
use crate::identity::IdentityReporter;
use crate::local::{AcceptStatus, CredentialsFiles, LoopbackSlot, MqttState};
use crate::status::{
    ClockDetails, ClockPhase, ConfigurationDetails, ConfigurationPhase, IdentityPhase, MessagesDetails, MessagesPhase,
    NetworkDetails, NetworkPhase, ProvisioningDetails, ProvisioningPhase, Reporter, SessionPhase, StatusBoard,
    StatusHub, TokenDetails, TokenPhase,
};

/// The status reporters of all parts.
pub(super) struct Reporters {
    pub(super) configuration: Reporter<ConfigurationPhase, ConfigurationDetails>,
    pub(super) token: Reporter<TokenPhase, TokenDetails>,
    pub(super) clock: Reporter<ClockPhase, ClockDetails>,
    pub(super) identity: IdentityReporter,
    pub(super) session: SessionReporters,
    pub(super) messages: Reporter<MessagesPhase, MessagesDetails>,
    pub(super) network: Reporter<NetworkPhase, NetworkDetails>,
    pub(super) accepting: Rc<AcceptStatus>,
}

impl Reporters {
    /// Creates the reporters, each with its first phase.
    pub(super) fn new(hub: &StatusHub, path: &Path, config: &Config, clock: &dyn Clock) -> Self {
        let loaded = configuration_details(path, clock);
        Self {
            configuration: hub.reporter("configuration", ConfigurationPhase::Loaded, loaded),
            token: hub.reporter("token", TokenPhase::Waiting, token_details(config)),
            clock: hub.reporter("clock", ClockPhase::Unset, ClockDetails::default()),
            identity: hub.reporter("identity", IdentityPhase::NoKey, identity_details(config)),
            session: SessionReporters {
                session: hub.reporter("session", SessionPhase::Idle, session_details(config)),
                provisioning: hub.reporter("provisioning", ProvisioningPhase::NoKey, ProvisioningDetails::default()),
            },
            messages: hub.reporter("messages", MessagesPhase::Opening, MessagesDetails::default()),
            network: hub.reporter("network", NetworkPhase::Unknown, NetworkDetails {}),
            accepting: Rc::new(AcceptStatus::new(hub)),
        }
    }

    /// Returns the reading ends of all parts.
    pub(super) fn board(
        &self,
        loopback: &LoopbackSlot,
        mqtt: &MqttState,
        credentials_files: &CredentialsFiles,
    ) -> StatusBoard {
        StatusBoard {
            configuration: self.configuration.watch(),
            token: self.token.watch(),
            clock: self.clock.watch(),
            identity: self.identity.watch(),
            provisioning: self.session.provisioning.watch(),
            session: self.session.session.watch(),
            messages: self.messages.watch(),
            loopback: loopback.part(),
            local_mqtt: mqtt.status.part(),
            accepting: self.accepting.part(),
            credentials_files: credentials_files.part(),
            network: self.network.watch(),
        }
    }
}
