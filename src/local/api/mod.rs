//! The HTTP API: one file for each resource, and one table of routes (`router`).

mod credentials;
mod csr;
mod log_level;
mod loopback_env;
mod message_fields;
mod metrics;
mod outbox;
mod reload;
mod renew;
mod retry;
mod router;
mod routes;
mod sign;
mod status;
mod subscriptions;
mod token;
mod topics;

pub use router::{needs_no_token, respond_on_loopback, respond_on_socket, respond_without_token};
