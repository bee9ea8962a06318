//! Temporary AWS credentials: a set and its age, the shelf on which the wings share them, and the way from one run of the
//! daemon to the next.

pub mod handover;
mod set;
mod shelf;

pub use set::{Credentials, Keys, LONGEST_LIFETIME, USABLE_MARGIN};
pub use shelf::{AliasChanges, AliasDetails, AliasPart, AliasPhase, AliasReporter, Refreshes, Shelf, ShelfEditor};
