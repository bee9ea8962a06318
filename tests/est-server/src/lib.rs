//! An EST server (RFC 7030, with the clarifications of RFC 8951) for tests and trials.
//!
//! [`EstServer::start`] starts one on a thread of its own; dropping it ends it. [`Options`] says who may enrol, with which secret or
//! bootstrap CA, and how long certificates are valid. [`Switches`] make it misbehave like real servers, proxies and networks, and can be
//! changed while it runs. [`EstServer::roll_over`] replaces the CA. [`EstServer::events`] lists requests and responses.
//!
//! It is not a CA for production: the keys that it creates are stored unencrypted, and nothing is ever revoked.

mod answer;
mod authentication;
mod base64_text;
mod ca;
mod enrolment;
mod error;
mod events;
mod faults;
mod issue;
mod options;
mod pkcs10;
mod pkcs7;
mod server;
mod service;
mod state;
mod switches;
mod tls;
mod x509;

pub use ca::{CaKey, CaSource, Pkcs11Key};
pub use error::Error;
pub use events::{Event, Observer, Operation};
pub use options::{Options, RequestAttributes, User};
pub use server::EstServer;
pub use switches::{AnswerFault, BodyForm, CertificateFault, CertificateOrder, Fault, Switches};
