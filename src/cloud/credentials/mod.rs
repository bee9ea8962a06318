//! Temporary credentials: the request to the credentials provider, the schedule, and a refresh task for each role alias.

pub mod answer;
mod date;
mod provider;
mod record;
mod refresh;
mod refresher;
mod refreshers;

pub use answer::Failure;
pub use provider::Provider;
pub use record::SuccessRecord;
pub(super) use refresh::Schedule;
pub use refresher::{Refresher, Source, Triggers};
pub use refreshers::Refreshers;
