//! The persistent MQTT session: connects, keeps the connection in use, and reconnects, for as long as the daemon runs.
//!
//! [`run`] is the task. It works on a [`Session`], and each step of it is in a module of its own: `connecting` makes one attempt,
//! `connected` uses the connection, `rollover` tries a new certificate beside it. [`Traffic`] decides what is sent, without I/O.

mod certificate_choice;
mod certificate_rollover;
mod connected;
mod connecting;
mod filter_errors;
mod inbound;
mod incoming_poison;
mod not_taken;
mod outage;
mod poison_detector;
mod presence;
mod presence_report;
mod problems;
mod publish_rate;
mod publisher;
mod refused_retry;
mod reporters;
mod rollover;
mod settings;
mod state;
mod subscriber;
mod takeovers;
mod task;
#[cfg(test)]
mod testing;
mod timing;
mod tls;
mod traffic;

pub use certificate_rollover::CertificateRollover;
pub(super) use outage::FailureKind;
pub use outage::Outage;
pub use presence::Presence;
pub use presence_report::PresenceReport;
pub(super) use problems::{dropped, not_mqtt, refused};
pub use publisher::Publisher;
pub use reporters::SessionReporters;
pub use state::{Session, SessionInputs};
pub use subscriber::Subscriber;
pub use takeovers::Takeovers;
pub use task::run;
pub(super) use timing::{CLOSE_TIMEOUT, CONNECT_INTERVAL};
pub(super) use tls::tls_config;
pub use traffic::Traffic;
