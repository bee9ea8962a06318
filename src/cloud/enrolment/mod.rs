//! Enrolment: gets the first certificate without a human, and renews each one before it expires.
//!
//! [`Enrolment`] decides what is requested and when. A method (`method`) gets the certificate. For EST, [`est`] interprets the server's
//! answers, and [`pkcs7`] extracts the certificates from them. [`choose`] finds and checks the new certificate; [`UnsignedRequest`] is a
//! renewal request with the subject of the certificate in use. None of these reads a socket or sets a timer: [`EnrolmentTask`] does, with
//! `client`.

mod ber;
mod bootstrap;
pub mod choose;
pub mod claim;
mod claim_connection;
mod claim_method;
mod claim_progress;
mod client;
mod credential;
#[cfg(test)]
mod crowd_tests;
mod csr_from_certificate;
pub mod est;
mod est_method;
mod failure;
mod helper_method;
mod helper_reply;
mod installation;
mod installed;
mod method;
mod methods;
mod new_key;
mod next_key;
pub mod pkcs7;
mod problems;
mod progress_report;
mod record;
mod request_attributes;
mod rotation;
pub mod schedule;
mod state_machine;
mod task;
mod texts;

pub use credential::CredentialKind;
pub use csr_from_certificate::UnsignedRequest;
pub use failure::{Failure, FailureKind};
pub use record::Purpose;
pub use request_attributes::RequestAttributes;
pub use rotation::{RotationInputs, RotationTask};
pub use state_machine::{CurrentCertificate, Enrolment, Progress, Situation, Step};
pub use task::{EnrolmentInputs, EnrolmentTask};
pub use texts::MethodTexts;
