//! POST /v1/retry/{part}: requests an immediate attempt, because an operator knows that the cause of a problem is gone.
//!
//! The minimum intervals between attempts that AWS and the token require remain, and no PIN is tried that might be wrong.

mod cloud;
mod line;
mod local;

use hyper::StatusCode;
use log::Level;

use self::cloud::{
    is_enrolling, retry_alias, retry_aliases, retry_enrolment, retry_session, retry_token, retry_web_token,
    retry_web_tokens,
};
pub(super) use self::line::{Document, Line, Outcome};
use self::local::{retry_files, retry_local_mqtt, retry_loopback};
use super::{credentials, token};
use crate::event::{Event, journal};
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response};
use crate::retry::RetryTarget;

/// Requests immediate attempts of the parts that the path names.
pub fn post(context: &ApiContext, caller: &Caller, path: &[&str]) -> Result<Response, ApiError> {
    authorize(context, caller, "request another attempt")?;
    let parts = match path {
        ["all"] => {
            let mut parts = vec![retry_token(context), retry_session(context)];
            parts.extend(retry_aliases(context, false));
            parts.extend(retry_web_tokens(context, false));
            parts.extend(is_enrolling(context).then(|| retry_enrolment(context)));
            context.retries.request(RetryTarget::Identity);
            // These have nothing to try unless something fails.
            let local = [retry_loopback(context), retry_local_mqtt(context), retry_files(context)];
            parts.extend(
                local
                    .into_iter()
                    .flatten()
                    .filter(|line| line.outcome == Outcome::Woken),
            );
            parts
        }
        ["token"] => vec![retry_token(context)],
        ["session"] => vec![retry_session(context)],
        ["enrolment"] => {
            context.retries.request(RetryTarget::Identity);
            vec![retry_enrolment(context)]
        }
        ["credentials"] => retry_aliases(context, false).collect(),
        ["credentials", name] => {
            let named = context
                .cache
                .parts(&*context.clock)
                .into_iter()
                .find(|part| part.details.name == *name);
            let part = named.ok_or_else(|| credentials::unknown_alias(context, name))?;
            vec![retry_alias(context, &part, true)]
        }
        ["web-tokens"] => retry_web_tokens(context, false).collect(),
        ["web-tokens", audience] => {
            let named = context.cache.web_tokens().get(audience, &*context.clock);
            let part = named.ok_or_else(|| token::unknown_audience(context, audience))?.status;
            vec![retry_web_token(context, &part, true)]
        }
        ["listeners"] => {
            let lines = [retry_loopback(context), retry_local_mqtt(context)];
            lines.into_iter().flatten().collect()
        }
        ["credentials-files"] => retry_files(context).into_iter().collect(),
        _ => {
            return Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing of this name to retry",
            )
            .hint(
                "the names are all, session, credentials, credentials/{alias}, web-tokens, web-tokens/{audience}, enrolment, token, \
                 listeners and credentials-files",
            ));
        }
    };
    let target = path.join("/");
    context.retry_lines.borrow_mut().write_at(Level::Info, |level, end| {
        journal!(level, Event::Retry; "retry: {} is tried again now, because {caller} asked for it{end}", target.escape_debug());
    });
    Ok(http::json(&Document { parts }))
}

/// Checks that the caller is an operator: root, or somebody who may do everything.
pub(super) fn authorize(context: &ApiContext, caller: &Caller, what: &str) -> Result<(), ApiError> {
    if context.may_do_everything(caller) {
        return Ok(());
    }
    context.authorize_root(caller, what).map_err(|error| {
        ApiError::from(error).hint(
            "it is for root, and for those who may publish and subscribe to everything (#): group gatepost, as shipped",
        )
    })
}
