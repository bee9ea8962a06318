//! Serves programs that speak MQTT. To a program gatepost looks like the endpoint of AWS IoT Core; behind it are the outbox, the inbox and
//! the one session with AWS.
//!
//! `listeners/mqtt` accepts connections and identifies their peers. `connection` drives the protocol (`crate::mqtt::Server`) of one
//! connection (`client`) in one task: `connect` decides about CONNECT and creates the `session` of an identified client (`principal`).
//! `publish` and `publish_queue` pass its messages to the outbox, `subscribe`, `filters` and `deliver` bring it messages from the inbox, `will`
//! publishes its will. A session that outlives its connection is a durable subscription of the
//! inbox; `stored` derives the packet identifiers of its messages. The connections share `state`.
//! `listener_status` says whether programs can connect, and `held_socket` keeps the port through reloads and restarts.

mod client;
mod connect;
mod connection;
mod counts;
mod deliver;
mod ending;
mod filters;
mod held_socket;
mod identity;
mod listener_status;
mod log;
mod mailbox;
mod options;
mod overload;
mod own;
mod pending_suback;
mod principal;
mod publish;
mod publish_queue;
mod qos0_queue;
mod refusal;
mod registry;
mod session;
mod state;
mod stored;
mod subscribe;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tokens;
mod topics;
mod turns;
mod will;
mod write_timer;

pub use connection::serve;
pub use held_socket::HeldSocket;
pub use identity::Identity;
pub use state::MqttState;
