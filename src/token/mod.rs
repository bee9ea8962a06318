//! The PKCS#11 token: its module, the key in it, and signatures.
//!
//! One thread owns the module, its session and its handles. Everyone else holds a [`Token`], which sends requests to that
//! thread over a bounded channel. A TPM takes up to 600 ms for a signature, so no other thread ever waits for the hardware.

mod algorithm;
mod candidates;
mod config;
mod config_check;
mod error;
mod examination;
mod generate;
mod handle;
mod key_checks;
mod keys;
mod login;
mod lookup;
mod module;
mod named_key;
mod names;
mod open_token;
mod opening;
mod pin;
mod pin_content;
mod pin_helper;
mod prepare;
mod proof;
mod proven_key;
mod public_key;
mod record;
mod reopen_limit;
mod reports;
mod request;
mod retry_schedule;
mod signing;
mod slots;
mod thread;
mod time_limits;
mod tpm;
mod uri;

pub use algorithm::{Generate, Hash, KeyAlgorithm, Scheme};
pub use config::TokenConfig;
pub use config_check::{check, missing_setup};
pub use error::TokenError;
pub use examination::{Examined, Step};
pub use handle::{Token, TokenThread};
pub use named_key::{DEVICE_KEY, FoundKey, NamedKey};
pub use opening::examine;
pub use pin::{PinSource, give_pin_file_to};
pub use prepare::{Proof, create, list_labels, parse_pin, prove};
pub use public_key::PublicKey;
pub use reports::TokenReporter;
pub use uri::{KeyUri, UriError};
