//! Status of each part of the daemon: phase, since when, and why. Each part reports its own status; the local thread reads it.
//!
//! A reporter also logs each transition once, in the words that the status shows.

mod board;
mod configuration;
mod credentials_files;
mod details;
mod latencies;
mod listeners;
mod phases;
mod repeats;
mod reporter;

pub use board::{
    AcceptingPart, ClockPart, CredentialsFilesPart, IdentityPart, LocalMqttPart, LoopbackPart, MessagesPart,
    NetworkPart, ProvisioningPart, SessionPart, StatusBoard, TokenPart,
};
pub use configuration::{ConfigurationDetails, ConfigurationPart, ConfigurationPhase, Loaded, ReloadOutcome};
pub use credentials_files::{CredentialsFileDetails, CredentialsFileState, CredentialsFilesDetails};
pub(crate) use details::hash_of;
pub use details::{
    ClockDetails, Details, EnrolmentDetails, IdentityDetails, MessagesDetails, NetworkDetails, ProvisioningDetails,
    RotationDetails, SessionDetails, SetAsideDetails, TakeoverDetails, TokenDetails,
};
pub use latencies::Latencies;
pub use listeners::{AcceptingDetails, LocalMqttDetails, LoopbackDetails};
pub(crate) use phases::phases;
pub use phases::{
    AcceptingPhase, ClockPhase, CredentialsFilesPhase, IdentityPhase, LocalMqttPhase, LoopbackPhase, MessagesPhase,
    NetworkPhase, Phase, ProvisioningPhase, SessionPhase, TokenPhase,
};
pub use repeats::Repeats;
pub use reporter::{Part, PartDocument, Reporter, StatusHub};
