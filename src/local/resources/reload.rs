//! POST /v1/reload: the configuration is read again, as at SIGHUP; answered when that is done.

use serde::Serialize;
use tokio::sync::oneshot;

use super::super::answer::{self, Answer, Refusal};
use super::super::caller::Caller;
use super::super::view::Shared;
use crate::problem::Problem;

#[derive(Serialize)]
struct Done {
    reloaded: bool,
}

/// The answer, once the files are read.
pub async fn post(shared: &Shared, caller: &Caller) -> Result<Answer, Refusal> {
    shared.authorize_root(caller, "have the configuration read again")?;
    let (done, told) = oneshot::channel();
    let unheard = || Refusal::not_ready(&Problem::wait("gatepostd is about to end"));
    shared.reloads.try_send(done).map_err(|_| unheard())?;
    told.await.map_err(|_| unheard())?;
    answer::json(&Done { reloaded: true })
}
