//! The state of all parts at one moment.

use std::time::{Duration, SystemTime};

use crate::clock::Clock;
use crate::credentials::{AliasPart, CredentialCache, USABLE_MARGIN};
use crate::status::{
    ClockPart, ConfigurationPart, IdentityPart, LoopbackPart, MessagesPart, NetworkPart, NetworkPhase,
    ProvisioningPart, SessionPart, SessionPhase, StatusBoard, TokenPart,
};

/// Input of a verdict: the state of each part.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The configuration in use, and the files on disk.
    pub configuration: ConfigurationPart,
    /// The token.
    pub token: TokenPart,
    /// Key and certificate.
    pub identity: IdentityPart,
    /// The clock.
    pub clock: ClockPart,
    /// This machine's own network.
    pub network: NetworkPart,
    /// Provisioning.
    pub provisioning: ProvisioningPart,
    /// The MQTT session.
    pub session: SessionPart,
    /// Each role alias.
    pub aliases: Vec<AliasPart>,
    /// The outbox and the inbox.
    pub messages: MessagesPart,
    /// The loopback listener, where it is configured.
    pub loopback: Option<LoopbackPart>,
    /// How long it takes until the first of the sets of credentials is no longer handed out.
    pub credentials_end_in: Option<Duration>,
    /// AWS's time, as far as it is known, by which certificates end.
    pub now: SystemTime,
    /// The boottime clock.
    pub boot: Duration,
}

impl Snapshot {
    /// The state of all parts now.
    pub fn take(board: &StatusBoard, cache: &CredentialCache, clock: &dyn Clock) -> Self {
        let aliases = cache.parts(clock);
        let sets = aliases.iter().filter_map(|alias| alias.usable(clock));
        let credentials_end_in = sets.map(|set| set.remaining(clock).saturating_sub(USABLE_MARGIN)).min();
        Self {
            configuration: board.configuration.borrow().clone(),
            token: board.token.borrow().clone(),
            identity: board.identity.borrow().clone(),
            clock: board.clock.borrow().clone(),
            network: board.network.borrow().clone(),
            provisioning: board.provisioning.borrow().clone(),
            session: board.session.borrow().clone(),
            aliases,
            messages: board.messages.borrow().clone(),
            loopback: board.loopback(),
            credentials_end_in,
            now: clock.aws_now(),
            boot: clock.boot(),
        }
    }

    /// Whether the session is up, and this machine has a way to AWS.
    pub fn is_online(&self) -> bool {
        self.session.phase == SessionPhase::Connected && !self.is_cut_off()
    }

    /// Whether this machine has no way to AWS. A session that was made after the last route had gone has found another one.
    pub fn is_cut_off(&self) -> bool {
        let (network, session) = (&self.network, &self.session);
        network.phase == NetworkPhase::Down
            && (session.phase != SessionPhase::Connected || session.since <= network.since)
    }
}
