//! The bearer tokens of the loopback listener, and the files that programs read them from.

mod examine;
mod files;
mod sealed_snapshot;
mod secret_file;
mod token;

pub use examine::examine_token_files;
pub use files::{TokenFiles, WriteReason, read_administrator_tokens, remove_token_files, write_token_files};
pub use sealed_snapshot::{seal, unseal};
pub use secret_file::give_token_file_to;
pub use token::BearerTokens;
