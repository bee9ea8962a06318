//! Temporary credentials: the request, the schedule, and the task that joins them for each role alias.

pub mod answer;
mod date;
mod keeper;
mod keepers;
mod provider;
mod record;
mod refresh;

pub use keeper::{Cues, Keeper, Source};
pub use keepers::Keepers;
pub use provider::Provider;
pub use record::SuccessRecord;
