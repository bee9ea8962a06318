//! The environment of the service as systemd runs it, for checks that root runs in a shell: its user, its environment variables, and
//! the files that it may read.

mod account;
mod reading;
mod reload;
mod unit;
mod user_units;

pub use account::Account;
pub use reading::{closed_files, unusable_credentials_files, unusable_token_files};
pub use reload::{Reloaded, reload};
pub use unit::{config_path, take_environment, taken_variables};
pub use user_units::{UnitEnvironment, units_of};
