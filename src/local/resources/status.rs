//! GET /v1/status: what is, since when, and why. Open to every local user: it holds no secret.

use serde::Serialize;

use super::super::answer::{self, Answer, Refusal};
use super::super::loopback::LoopbackDetails;
use super::super::view::Shared;
use super::log_level;
use crate::build_info::{self, VERSION};
use crate::clock::rfc3339;
use crate::credentials::{AliasDetails, AliasPhase};
use crate::problem::{Problem, Remedy};
use crate::status::{
    ClockDetails, ConfigurationDetails, IdentityDetails, MessagesDetails, MessagesPhase, PartDocument,
    ProvisioningDetails, SessionDetails, SessionPhase, TokenDetails,
};

/// The whole document.
#[derive(Serialize)]
struct Document {
    version: &'static str,
    /// None where the sources did not tell.
    commit: Option<&'static str>,
    now: String,
    started: String,
    state: &'static str,
    summary: String,
    configuration: PartDocument<ConfigurationDetails>,
    identity: PartDocument<IdentityDetails>,
    token: PartDocument<TokenDetails>,
    clock: PartDocument<ClockDetails>,
    provisioning: PartDocument<ProvisioningDetails>,
    session: PartDocument<SessionDetails>,
    role_aliases: Vec<PartDocument<AliasDetails>>,
    messages: PartDocument<MessagesDetails>,
    loopback: Option<PartDocument<LoopbackDetails>>,
    log_level: log_level::Document,
}

/// The worst of all parts, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything that is configured works.
    Ready,
    /// Something is missing, and it will come by itself.
    Waiting,
    /// Somebody must do something.
    Attention,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Waiting => "waiting",
            Self::Attention => "attention",
        }
    }
}

/// The answer.
pub fn get(shared: &Shared) -> Result<Answer, Refusal> {
    let clock = &*shared.clock;
    let board = &shared.board;
    let (state, summary) = summary(shared);
    let now = clock.wall();
    let uptime = clock.boot().saturating_sub(shared.started);
    answer::json(&Document {
        version: VERSION,
        commit: build_info::commit(),
        now: rfc3339(now),
        started: rfc3339(now.checked_sub(uptime).unwrap_or(now)),
        state: state.word(),
        summary,
        configuration: board.configuration.borrow().document(clock),
        identity: board.identity.borrow().document(clock),
        token: board.token.borrow().document(clock),
        clock: board.clock.borrow().document(clock),
        provisioning: board.provisioning.borrow().document(clock),
        session: board.session.borrow().document(clock),
        role_aliases: shared
            .shelf
            .parts(clock)
            .iter()
            .map(|part| part.document(clock))
            .collect(),
        messages: board.messages.borrow().document(clock),
        loopback: shared.loopback.get().map(|loopback| loopback.part().document(clock)),
        log_level: log_level::document(shared),
    })
}

/// The state and one sentence about it: the first line of `gatepost status`, and what `systemctl status` shows.
pub fn summary(shared: &Shared) -> (State, String) {
    let aliases = shared.shelf.parts(&*shared.clock);
    let session = shared.board.session.borrow().clone();
    let valid = aliases.iter().filter(|part| part.phase == AliasPhase::Valid).count();
    let connected = session.phase == SessionPhase::Connected;
    let mut problems: Vec<Problem> = shared.board.obstacle().into_iter().chain(session.problem).collect();
    problems.extend(shared.board.configuration.borrow().problem.clone());
    problems.extend(shared.board.clock.borrow().problem.clone());
    problems.extend(shared.board.messages.borrow().problem.clone());
    problems.extend(shared.loopback.get().and_then(|loopback| loopback.part().problem));
    problems.extend(aliases.iter().filter_map(|part| part.problem.clone()));
    let needs_somebody = |problem: &&Problem| matches!(problem.remedy, Remedy::Configuration | Remedy::Factory);
    let counts = match aliases.len() {
        0 => "no role alias configured".to_owned(),
        all => format!("{valid} of {all} role aliases valid"),
    };
    if let Some(problem) = problems.iter().find(needs_somebody) {
        return (State::Attention, problem.to_string());
    }
    let accepted = shared.board.messages.borrow().phase == MessagesPhase::Ready;
    if connected && accepted && valid == aliases.len() {
        let thing = session.details.client_id.unwrap_or_default();
        return (State::Ready, format!("online as {thing}; {counts}"));
    }
    let why = problems.first().map_or_else(
        || format!("session {}; {counts}", session.phase),
        |problem| problem.message.clone(),
    );
    (State::Waiting, why)
}
