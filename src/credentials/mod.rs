//! Temporary AWS credentials: a set and its age, the shelf on which the wings share them, and the way from one run of the
//! daemon to the next.

mod cache;
pub mod sealed_snapshot;
mod set;

pub use cache::{
    AliasChanges, AliasDetails, AliasPart, AliasPhase, AliasReporter, CredentialCache, CredentialCacheEditor, Refreshes,
};
pub use set::{Credentials, Keys, LONGEST_LIFETIME, USABLE_MARGIN};
