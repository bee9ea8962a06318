//! PKCS#11 tokens, each with its own state in a temporary folder: [`SoftHsm`] and [`Tpm`], and modules that make a SoftHSM
//! token slow or give it quirks.

mod files;
mod interface;
mod key_kind;
mod object;
mod pkcs11_tool;
mod quirks;
mod slow;
mod softhsm;
mod tpm;
mod tpm_daemons;
mod tpm_relay;
mod tpm_template;

pub use interface::Token;
pub use key_kind::KeyKind;
pub use object::{Class, Object};
pub use pkcs11_tool::Login;
pub use quirks::Quirks;
pub use slow::SlowSigner;
pub use softhsm::{SoftHsm, TokenCopy};
pub use tpm::Tpm;
pub use tpm_relay::TpmRelay;
