//! GET /v1/credentials and /v1/credentials/{alias}: credentials from the cache.

use hyper::StatusCode;

use crate::credentials::{CachedAlias, Credentials};
use crate::local::access::Permission;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response};
use crate::problem::Problem;

/// Returns the credentials of `alias`, or of the default alias. They always come from memory.
pub fn get(context: &ApiContext, caller: &Caller, alias: Option<&str>) -> Result<Response, ApiError> {
    let credentials = usable_credentials(context, caller, alias)?;
    Ok(http::ok("application/json", credentials.body(&*context.clock).expose()))
}

/// Returns credentials that `caller` may have and that are valid now.
pub fn usable_credentials(context: &ApiContext, caller: &Caller, alias: Option<&str>) -> Result<Credentials, ApiError> {
    let alias = authorize_alias(context, caller, alias)?;
    if let Some(credentials) = alias.usable(&*context.clock) {
        return Ok(credentials.clone());
    }
    let status = alias.status;
    let alias = &status.details.name;
    let problem = status.problem.or_else(|| context.board.obstacle());
    Err(ApiError::not_ready(&problem.unwrap_or_else(|| {
        Problem::wait(format!("role alias {alias}: AWS is being asked for credentials"))
    })))
}

/// Returns the role alias `alias`, or the default alias, if a rule grants it to `caller`.
pub fn authorize_alias(context: &ApiContext, caller: &Caller, alias: Option<&str>) -> Result<CachedAlias, ApiError> {
    let alias = alias.map(str::to_owned).or_else(|| context.cache.default_alias());
    let alias = &*alias.ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "no_default_alias",
            "no role alias is the default",
        )
        .hint("name one in the path, or mark one [[role-alias]] with default = true")
    })?;
    let clock = &*context.clock;
    let part = context
        .cache
        .get(alias, clock)
        .ok_or_else(|| unknown_alias(context, alias))?;
    context.authorize(caller, Permission::RoleAlias(alias), "")?;
    Ok(part)
}

/// Returns the error for a role alias that is not in use. It may be in the configuration files, and not loaded.
pub fn unknown_alias(context: &ApiContext, alias: &str) -> ApiError {
    let configuration = context.board.configuration.borrow();
    let not_found = |message| ApiError::new(StatusCode::NOT_FOUND, "unknown_alias", message);
    if configuration.details.new_role_aliases.iter().any(|name| name == alias) {
        let message =
            format!("role alias \"{alias}\" is in the configuration files, which were changed and not loaded since");
        return not_found(message).hint("systemctl reload gatepost");
    }
    drop(configuration);
    let parts = context.cache.parts(&*context.clock);
    let known: Vec<&str> = parts.iter().map(|part| part.details.name.as_str()).collect();
    let error = not_found(format!(
        "no role alias named \"{}\" is configured",
        alias.escape_debug()
    ))
    .hint(unknown_hint(&known));
    error.remark(context.unloaded_change("role-alias"))
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
