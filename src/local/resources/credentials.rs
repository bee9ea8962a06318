//! GET /v1/credentials and /v1/credentials/{alias}

use hyper::StatusCode;

use super::super::answer::{self, Answer};
use super::super::peer::Peer;
use super::super::view::Shared;
use crate::problem::Problem;

/// The credentials of `alias`, or of the default alias, if a rule gives them to `peer`. From memory, always.
pub fn get(shared: &Shared, peer: Peer, alias: Option<&str>) -> Answer {
    let Some(alias) = alias.or_else(|| shared.shelf.default_alias()) else {
        let hint = "name one in the path, or mark one [[role-alias]] with default = true";
        return answer::error(
            StatusCode::NOT_FOUND,
            "no_default_alias",
            "no role alias is the default",
            Some(hint),
        );
    };
    let clock = &*shared.clock;
    let Some(part) = shared.shelf.get(alias, clock) else {
        let message = format!("no role alias named \"{}\" is configured", alias.escape_debug());
        return answer::error(
            StatusCode::NOT_FOUND,
            "unknown_alias",
            &message,
            Some("add a [[role-alias]] to gatepost's configuration"),
        );
    };
    if !shared.access.borrow().allows(peer, alias) {
        return refused(peer, alias);
    }
    if let Some(credentials) = part.usable(clock) {
        log::debug!(ROLE_ALIAS = alias, PEER_UID = peer.uid; "access: {peer} was given credentials of role alias {alias}");
        return answer::ok("application/json", credentials.body().expose());
    }
    let why = part.problem.or_else(|| shared.board.obstacle());
    answer::not_ready(
        &why.unwrap_or_else(|| Problem::wait(format!("role alias {alias}: AWS is being asked for credentials"))),
    )
}

fn refused(peer: Peer, alias: &str) -> Answer {
    log::debug!(ROLE_ALIAS = alias, PEER_UID = peer.uid; "access: {peer} was refused credentials of role alias {alias}");
    let message = format!(
        "no [[access]] rule gives uid {} (gid {}) the role alias \"{alias}\"",
        peer.uid, peer.gid
    );
    // One line that a shell takes as it is: the command puts hints on one line, and who reads this wants to paste it.
    let hint = format!(
        "to give it: echo 'access = [{{ uid = {uid}, role-aliases = [\"{alias}\"] }}]' > /etc/gatepost/conf.d/uid-{uid}-{alias}.toml && systemctl reload gatepost",
        uid = peer.uid
    );
    answer::error(StatusCode::FORBIDDEN, "not_allowed", &message, Some(&hint))
}
