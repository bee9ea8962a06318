//! What local programs see: the Unix socket, and for SDKs that cannot use one, the loopback listener.
//!
//! One thread, one runtime: nothing here waits for the cloud wing or the token, and nobody but the one who publishes for
//! the disk.
//! The way of a request: `server` -> a door (`socket`, `loopback`) that says who the `caller` is -> `resources` -> `access`
//! (noted in `audit`) -> a snapshot in `view` -> `answer`.

mod access;
mod admission;
mod answer;
mod audit;
mod body;
mod caller;
mod connections;
mod hint;
mod loopback;
mod ownership;
mod pace;
mod parameters;
mod peer;
mod resources;
mod server;
mod socket;
mod tally;
mod thing;
mod unit;
mod view;
mod waiting;
mod wing;

pub use access::{AccessRules, Permission, Topics};
pub use audit::Audit;
pub use caller::Caller;
pub use connections::Connections;
pub use hint::is_dynamic;
pub use loopback::{Inherited, Loopback, LoopbackPlace, PortHolder, examine_token_files, give_token_file_to};
pub use pace::Pace;
pub use peer::Peer;
pub use socket::{Socket, bind, lock, make_folders, path};
pub use tally::Tally;
pub use thing::ThingName;
pub use view::ApiContext;
pub use waiting::Waiting;
pub use wing::run;
