//! GET /v1/credentials and /v1/credentials/{alias}

use hyper::StatusCode;

use super::super::access::Wish;
use super::super::answer::{self, Answer, Refusal};
use super::super::caller::Caller;
use super::super::view::Shared;
use crate::credentials::{AliasPart, Credentials};
use crate::problem::Problem;

/// The credentials of `alias`, or of the default alias, if a rule gives them to `caller`. From memory, always.
pub fn get(shared: &Shared, caller: &Caller, alias: Option<&str>) -> Result<Answer, Refusal> {
    let credentials = given(shared, caller, alias)?;
    Ok(answer::ok("application/json", credentials.body().expose()))
}

/// A set that `caller` may have and use now.
pub fn given(shared: &Shared, caller: &Caller, alias: Option<&str>) -> Result<Credentials, Refusal> {
    let part = allowed(shared, caller, alias)?;
    if let Some(credentials) = part.usable(&*shared.clock) {
        return Ok(credentials.clone());
    }
    let alias = &part.details.name;
    let why = part.problem.or_else(|| shared.board.obstacle());
    Err(Refusal::not_ready(&why.unwrap_or_else(|| {
        Problem::wait(format!("role alias {alias}: AWS is being asked for credentials"))
    })))
}

/// The role alias that `caller` means, if a rule gives it.
pub fn allowed(shared: &Shared, caller: &Caller, alias: Option<&str>) -> Result<AliasPart, Refusal> {
    let alias = alias.or_else(|| shared.shelf.default_alias()).ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "no_default_alias",
            "no role alias is the default",
        )
        .hint("name one in the path, or mark one [[role-alias]] with default = true")
    })?;
    let clock = &*shared.clock;
    let part = shared.shelf.get(alias, clock).ok_or_else(|| {
        let message = format!("no role alias named \"{}\" is configured", alias.escape_debug());
        Refusal::new(StatusCode::NOT_FOUND, "unknown_alias", message)
            .hint("add a [[role-alias]] to gatepost's configuration")
    })?;
    shared.authorize(caller, Wish::RoleAlias(alias), "")?;
    Ok(part)
}
