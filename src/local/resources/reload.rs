//! POST /v1/reload: the configuration is read again, as at SIGHUP; answered with what came of that.

use hyper::StatusCode;
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::super::answer::{self, Answer, ApiError};
use super::super::caller::Caller;
use super::super::view::ApiContext;
use crate::problem::Problem;
use crate::status::{Loaded, ReloadOutcome};

#[derive(Serialize)]
struct Done {
    reloaded: bool,
    #[serde(flatten)]
    loaded: Loaded,
}

/// The answer, once the files are read.
pub async fn post(shared: &ApiContext, caller: &Caller) -> Result<Answer, ApiError> {
    shared.authorize_root(caller, "have the configuration read again")?;
    let (done, told) = oneshot::channel();
    let refuse = |why: &str| ApiError::not_ready(&Problem::wait(why));
    shared.reloads.try_send(done).map_err(|error| match error {
        TrySendError::Full(_) => refuse("others have asked for it just now, and it is not done yet"),
        TrySendError::Closed(_) => refuse("gatepostd is about to end"),
    })?;
    match told.await.map_err(|_| refuse("gatepostd is about to end"))? {
        ReloadOutcome::Loaded(loaded) => answer::json(&Done { reloaded: true, loaded }),
        ReloadOutcome::Refused(faults) => Err(ApiError::new(
            StatusCode::CONFLICT,
            "wrong_configuration",
            format!("nothing was changed, because the files are wrong:\n{faults}"),
        )
        .hint("correct them; `gatepostd --check-config` says what is still wrong")),
    }
}
