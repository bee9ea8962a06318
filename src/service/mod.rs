//! The service as systemd runs it, for a check that root runs in a shell: its user, its environment, and which of the files
//! it may read.

mod account;
mod reading;
mod reload;
mod unit;

pub use account::Account;
pub use reading::{closed_files, unusable_token_files};
pub use reload::{Reloaded, reload};
pub use unit::{config_path, take_environment, taken};
