//! GET /v1/status: what is, since when, and why. Open to every local user: it holds no secret.

use serde::Serialize;

use super::super::answer::{self, Answer, ApiError};
use super::super::view::ApiContext;
use super::log_level;
use crate::build_info::{self, VERSION};
use crate::clock::rfc3339;
use crate::credentials::AliasDetails;
use crate::overview::{Finding, Overview, State};
use crate::status::{
    ClockDetails, ConfigurationDetails, IdentityDetails, LoopbackDetails, MessagesDetails, NetworkDetails,
    PartDocument, ProvisioningDetails, SessionDetails, TokenDetails,
};

/// The whole document.
#[derive(Serialize)]
struct Document {
    version: &'static str,
    /// None where the sources did not tell.
    commit: Option<&'static str>,
    now: String,
    started: String,
    state: State,
    summary: String,
    working: bool,
    exit_code: u8,
    problems: Vec<Finding>,
    identity: PartDocument<IdentityDetails>,
    token: PartDocument<TokenDetails>,
    clock: PartDocument<ClockDetails>,
    network: PartDocument<NetworkDetails>,
    configuration: PartDocument<ConfigurationDetails>,
    provisioning: PartDocument<ProvisioningDetails>,
    session: PartDocument<SessionDetails>,
    role_aliases: Vec<PartDocument<AliasDetails>>,
    messages: PartDocument<MessagesDetails>,
    loopback: Option<PartDocument<LoopbackDetails>>,
    log_level: log_level::Document,
}

/// The answer.
pub fn get(shared: &ApiContext) -> Result<Answer, ApiError> {
    let clock = &*shared.clock;
    let board = &shared.board;
    let Overview {
        state,
        summary,
        is_working: working,
        findings: problems,
        exit_code,
    } = shared.overview();
    let now = clock.wall();
    let uptime = clock.boot().saturating_sub(shared.started);
    answer::json(&Document {
        version: VERSION,
        commit: build_info::commit(),
        now: rfc3339(now),
        started: rfc3339(now.checked_sub(uptime).unwrap_or(now)),
        state,
        summary,
        working,
        exit_code,
        problems,
        identity: board.identity.borrow().document(clock),
        token: board.token.borrow().document(clock),
        clock: board.clock.borrow().document(clock),
        network: board.network.borrow().document(clock),
        configuration: board.configuration.borrow().document(clock),
        provisioning: board.provisioning.borrow().document(clock),
        session: board.session.borrow().document(clock),
        role_aliases: shared
            .cache
            .parts(clock)
            .iter()
            .map(|part| part.document(clock))
            .collect(),
        messages: board.messages.borrow().document(clock),
        loopback: board.loopback().map(|part| part.document(clock)),
        log_level: log_level::document(shared),
    })
}
