//! The status of all parts at one moment.

use std::time::{Duration, SystemTime};

use crate::clock::Clock;
use crate::credentials::{AliasPart, CredentialCache, USABLE_MARGIN, WebTokenPart};
use crate::status::{
    AcceptingPart, ClockPart, ConfigurationPart, CredentialsFilesPart, IdentityPart, LocalMqttPart, LoopbackPart,
    MessagesPart, NetworkPart, NetworkPhase, ProvisioningPart, SessionPart, SessionPhase, StatusBoard, TokenPart,
};

/// The input of the verdict: the status of each part.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The configuration.
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
    /// The token for each audience outside AWS.
    pub web_tokens: Vec<WebTokenPart>,
    /// The outbox and the inbox.
    pub messages: MessagesPart,
    /// The loopback listener, if it is configured.
    pub loopback: Option<LoopbackPart>,
    /// The listeners for programs that speak MQTT.
    pub local_mqtt: LocalMqttPart,
    /// Whether connections are accepted at all listeners.
    pub accepting: AcceptingPart,
    /// The credentials files.
    pub credentials_files: CredentialsFilesPart,
    /// Time until the first credentials are no longer handed out.
    pub credentials_end_in: Option<Duration>,
    /// AWS's time, as far as it is known.
    pub now: SystemTime,
    /// The boottime clock.
    pub boot: Duration,
}

impl Snapshot {
    /// Takes a snapshot of all parts.
    pub fn take(board: &StatusBoard, cache: &CredentialCache, clock: &dyn Clock) -> Self {
        let cached = cache.aliases(clock);
        let sets = cached.iter().filter_map(|alias| alias.usable(clock));
        let credentials_end_in = sets.map(|set| set.remaining(clock).saturating_sub(USABLE_MARGIN)).min();
        Self {
            configuration: board.configuration.borrow().clone(),
            token: board.token.borrow().clone(),
            identity: board.identity.borrow().clone(),
            clock: board.clock.borrow().clone(),
            network: board.network.borrow().clone(),
            provisioning: board.provisioning.borrow().clone(),
            session: board.session.borrow().clone(),
            web_tokens: cache.web_tokens().parts(clock),
            aliases: cached.into_iter().map(|alias| alias.status).collect(),
            messages: board.messages.borrow().clone(),
            loopback: board.loopback(),
            local_mqtt: board.local_mqtt.borrow().clone(),
            accepting: board.accepting.borrow().clone(),
            credentials_files: board.credentials_files.borrow().clone(),
            credentials_end_in,
            now: clock.aws_now(),
            boot: clock.boot(),
        }
    }

    /// Returns whether the session is connected, and this machine has a route to AWS.
    pub fn is_online(&self) -> bool {
        self.session.phase == SessionPhase::Connected && !self.is_cut_off()
    }

    /// Returns whether this machine has no route to AWS. A session that was established after the last default route disappeared must have
    /// found another one.
    pub fn is_cut_off(&self) -> bool {
        let (network, session) = (&self.network, &self.session);
        network.phase == NetworkPhase::Down
            && (session.phase != SessionPhase::Connected || session.since <= network.since)
    }
}
