//! GET /v1/credentials and /v1/credentials/{alias}

use hyper::StatusCode;

use super::super::access::Permission;
use super::super::answer::{self, Answer, ApiError};
use super::super::caller::Caller;
use super::super::view::ApiContext;
use crate::credentials::{CachedAlias, Credentials};
use crate::problem::Problem;

/// The credentials of `alias`, or of the default alias, if a rule gives them to `caller`. From memory, always.
pub fn get(shared: &ApiContext, caller: &Caller, alias: Option<&str>) -> Result<Answer, ApiError> {
    let credentials = given(shared, caller, alias)?;
    Ok(answer::ok(
        "application/json",
        credentials.body(&*shared.clock).expose(),
    ))
}

/// A set that `caller` may have and use now.
pub fn given(shared: &ApiContext, caller: &Caller, alias: Option<&str>) -> Result<Credentials, ApiError> {
    let alias = allowed(shared, caller, alias)?;
    if let Some(credentials) = alias.usable(&*shared.clock) {
        return Ok(credentials.clone());
    }
    let status = alias.status;
    let alias = &status.details.name;
    let why = status.problem.or_else(|| shared.board.obstacle());
    Err(ApiError::not_ready(&why.unwrap_or_else(|| {
        Problem::wait(format!("role alias {alias}: AWS is being asked for credentials"))
    })))
}

/// The role alias that `caller` means, if a rule gives it.
pub fn allowed(shared: &ApiContext, caller: &Caller, alias: Option<&str>) -> Result<CachedAlias, ApiError> {
    let alias = alias.map(str::to_owned).or_else(|| shared.cache.default_alias());
    let alias = &*alias.ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "no_default_alias",
            "no role alias is the default",
        )
        .hint("name one in the path, or mark one [[role-alias]] with default = true")
    })?;
    let clock = &*shared.clock;
    let cached = shared.cache.get(alias, clock).ok_or_else(|| unknown(shared, alias))?;
    shared.authorize(caller, Permission::RoleAlias(alias), "")?;
    Ok(cached)
}

/// Refuses a role alias that is not in use. It may be in the files already: then they have to be loaded.
pub fn unknown(shared: &ApiContext, alias: &str) -> ApiError {
    let configuration = shared.board.configuration.borrow();
    let not_found = |message| ApiError::new(StatusCode::NOT_FOUND, "unknown_alias", message);
    if configuration.details.new_role_aliases.iter().any(|name| name == alias) {
        let message =
            format!("role alias \"{alias}\" is in the configuration files, which were changed and not loaded since");
        return not_found(message).hint("systemctl reload gatepost");
    }
    drop(configuration);
    let parts = shared.cache.parts(&*shared.clock);
    let known: Vec<&str> = parts.iter().map(|part| part.details.name.as_str()).collect();
    let refusal = not_found(format!(
        "no role alias named \"{}\" is configured",
        alias.escape_debug()
    ))
    .hint(unknown_hint(&known));
    shared.remark_on_files(refusal, "role-alias")
}

fn unknown_hint(known: &[&str]) -> String {
    let add = "add a [[role-alias]] to gatepost's configuration, then: systemctl reload gatepost";
    match known {
        [] => add.to_owned(),
        [only] => format!("the only one is {only}; for another one {add}"),
        names => format!("the configured ones are {}; for another one {add}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::unknown_hint;

    #[test]
    fn the_configured_role_aliases_are_named() {
        for (known, words) in [
            (&[][..], "add a [[role-alias]]"),
            (&["a"], "the only one is a; "),
            (&["a", "b"], "the configured ones are a, b; "),
        ] {
            let hint = unknown_hint(known);
            assert!(
                hint.starts_with(words) && hint.ends_with("systemctl reload gatepost"),
                "{hint}"
            );
        }
    }
}
