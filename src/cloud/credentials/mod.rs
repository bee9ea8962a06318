//! Temporary credentials: the request, the schedule, and the task that joins them for each role alias.

pub mod answer;
mod date;
mod provider;
mod record;
mod refresh;
mod refresher;
mod refreshers;

pub use provider::Provider;
pub use record::SuccessRecord;
pub use refresher::{Refresher, Source, Triggers};
pub use refreshers::Refreshers;
