//! Temporary AWS credentials: a set and its age, tokens for services outside AWS, the cache through which the threads share sets, and the sealed file in which they
//! pass from one run of the daemon to the next.

mod alias;
mod cache;
pub mod sealed_snapshot;
mod set;
mod set_changes;
mod web_token;
mod web_token_cache;

pub use alias::{AliasDetails, AliasPart, AliasPhase, AliasReader, AliasReporter, CachedAlias, ReceivedSet, Refreshes};
pub use cache::{AliasChanges, CredentialCache, CredentialCacheEditor};
pub use set::{Credentials, Keys, LONGEST_LIFETIME, USABLE_MARGIN};
pub use set_changes::SetChanges;
pub use web_token::WebToken;
pub use web_token_cache::{
    CachedWebToken, WebTokenCache, WebTokenCacheEditor, WebTokenChanges, WebTokenDetails, WebTokenPart, WebTokenPhase,
    WebTokenReporter,
};
