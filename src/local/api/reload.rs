//! POST /v1/reload: reloads the configuration, as SIGHUP does, and returns the outcome.

use hyper::StatusCode;
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response};
use crate::problem::Problem;
use crate::status::{Loaded, ReloadOutcome};

/// The response's body.
#[derive(Serialize)]
struct ReloadedDocument {
    reloaded: bool,
    #[serde(flatten)]
    loaded: Loaded,
}

/// Reloads the configuration, and waits until that is complete.
pub async fn post(context: &ApiContext, caller: &Caller) -> Result<Response, ApiError> {
    context.authorize_root(caller, "reload the configuration")?;
    let (sender, outcome) = oneshot::channel();
    let not_ready = |reason: &str| ApiError::not_ready(&Problem::wait(reason));
    context.reloads.try_send(sender).map_err(|error| match error {
        TrySendError::Full(_) => not_ready("another reload has not finished yet"),
        TrySendError::Closed(_) => not_ready("gatepostd is shutting down"),
    })?;
    match outcome.await.map_err(|_| not_ready("gatepostd is shutting down"))? {
        ReloadOutcome::Loaded(loaded) => Ok(http::json(&ReloadedDocument { reloaded: true, loaded })),
        ReloadOutcome::Refused(faults) => Err(ApiError::new(
            StatusCode::CONFLICT,
            "wrong_configuration",
            format!("nothing was changed, because the files are wrong:\n{faults}"),
        )
        .hint("correct them; `gatepostd --check-config` says what is still wrong")),
    }
}
