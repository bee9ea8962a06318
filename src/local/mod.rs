//! Serves local programs: on the Unix socket, for SDKs that cannot use one on the loopback listener, and for programs
//! that speak MQTT on listeners of their own (`mqtt`).
//!
//! Everything here runs on one thread with one runtime. Nothing waits for the cloud thread or the token; only a publish
//! at QoS 1 and a durable subscription wait for the disk.
//! A request takes this path: `listeners` (accepts the connection and identifies the `caller`) -> `api::router` ->
//! `access` (the decision is logged by `access::audit`) -> a snapshot in `context` -> `http`.

mod access;
mod api;
mod bearer_tokens;
mod caller;
mod context;
mod credentials_files;
mod grant;
mod http;
mod limits;
mod listeners;
mod loopback;
mod mqtt;
mod run;
#[cfg(test)]
mod testing;
mod thing_name;

pub use access::{AccessRules, Audit, Permission, RuleTopics, is_dynamic_user};
pub use bearer_tokens::{examine_token_files, give_token_file_to};
pub use caller::{Caller, Peer};
pub use context::ApiContext;
pub use credentials_files::{
    CredentialsFiles, examine_credentials_files, find_files_for_nobody, remove_recorded_files,
};
pub use limits::{AckWaiters, RateLimiter, RequestCounts};
pub use listeners::{AcceptStatus, Connections, bind_socket, mqtt_socket_path, socket_path};
pub use loopback::{Inherited, Loopback, LoopbackSlot, PortHolder};
pub use mqtt::{HeldSocket, MqttState};
pub use run::run;
pub use thing_name::ThingName;
