//! POST /v1/reload: the configuration is read again, as at SIGHUP; answered with what came of that.

use hyper::StatusCode;
use serde::Serialize;
use tokio::sync::oneshot;

use super::super::answer::{self, Answer, Refusal};
use super::super::caller::Caller;
use super::super::view::Shared;
use crate::problem::Problem;
use crate::status::{Loaded, ReloadOutcome};

#[derive(Serialize)]
struct Done {
    reloaded: bool,
    #[serde(flatten)]
    loaded: Loaded,
}

/// The answer, once the files are read.
pub async fn post(shared: &Shared, caller: &Caller) -> Result<Answer, Refusal> {
    shared.authorize_root(caller, "have the configuration read again")?;
    let (done, told) = oneshot::channel();
    let unheard = || Refusal::not_ready(&Problem::wait("gatepostd is about to end"));
    shared.reloads.try_send(done).map_err(|_| unheard())?;
    match told.await.map_err(|_| unheard())? {
        ReloadOutcome::Loaded(loaded) => answer::json(&Done { reloaded: true, loaded }),
        ReloadOutcome::Refused(faults) => Err(Refusal::new(
            StatusCode::CONFLICT,
            "wrong_configuration",
            format!("nothing was changed, because the files are wrong:\n{faults}"),
        )
        .hint("correct them; `gatepostd --check-config` says what is still wrong")),
    }
}
