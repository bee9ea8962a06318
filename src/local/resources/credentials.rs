//! GET /v1/credentials and /v1/credentials/{alias}

use hyper::StatusCode;

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
    let access = shared.access.borrow();
    let rule = access.rule_for(caller, alias);
    shared.audit.note(caller, alias, rule);
    match rule {
        Some(_) => Ok(part),
        None => Err(not_allowed(caller, alias)),
    }
}

fn not_allowed(caller: &Caller, alias: &str) -> Refusal {
    let refusal = |message| Refusal::new(StatusCode::FORBIDDEN, "not_allowed", message);
    let Caller::Peer(peer) = caller else {
        return refusal(format!("no [[access]] rule gives {caller} the role alias \"{alias}\""))
            .hint("the role aliases of a token are those of its rule in gatepost's configuration");
    };
    let uid = peer.uid;
    let unit = peer.unit.as_ref().map(|unit| format!(", {unit}")).unwrap_or_default();
    // One line that a shell takes as it is: the command puts hints on one line, and who reads this wants to paste it.
    refusal(format!(
        "no [[access]] rule gives uid {uid} (gid {}{unit}) the role alias \"{alias}\"",
        peer.gid
    ))
    .hint(format!(
        "to give it: echo 'access = [{{ uid = {uid}, role-aliases = [\"{alias}\"] }}]' > /etc/gatepost/conf.d/uid-{uid}-{alias}.toml && systemctl reload gatepost"
    ))
}
