//! The service as systemd runs it, for a check that root runs in a shell: its user, its environment, and which of the files
//! it may read.

mod account;
mod reading;
mod unit;

pub use account::Account;
pub use reading::closed_files;
pub use unit::{take_environment, taken};
