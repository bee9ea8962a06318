//! GET /v1/status: the status of each component, since when, and why. Every local user may read it; it contains no secret.

use serde::Serialize;

use super::log_level;
use crate::build_info::{self, VERSION};
use crate::clock::rfc3339;
use crate::credentials::{AliasDetails, WebTokenDetails};
use crate::local::context::ApiContext;
use crate::local::http::{self, Response};
use crate::overview::{Finding, Overview, State};
use crate::status::{
    AcceptingDetails, ClockDetails, ConfigurationDetails, CredentialsFilesDetails, IdentityDetails, LocalMqttDetails,
    LoopbackDetails, MessagesDetails, NetworkDetails, PartDocument, ProvisioningDetails, SessionDetails, TokenDetails,
};

/// The response's body.
#[derive(Serialize)]
struct Document {
    version: &'static str,
    /// `None` if it was not known at build time.
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
    web_tokens: Vec<PartDocument<WebTokenDetails>>,
    messages: PartDocument<MessagesDetails>,
    loopback: Option<PartDocument<LoopbackDetails>>,
    /// `None` if no credentials file is configured.
    credentials_files: Option<PartDocument<CredentialsFilesDetails>>,
    /// `None` if no MQTT listener is configured.
    local_mqtt: Option<LocalMqttDocument>,
    connections: PartDocument<AcceptingDetails>,
    log_level: log_level::Document,
}

/// The listeners for programs that speak MQTT.
#[derive(Serialize)]
struct LocalMqttDocument {
    #[serde(flatten)]
    part: PartDocument<LocalMqttDetails>,
    /// Programs that are connected.
    clients: usize,
}

/// Returns the status.
pub fn get(context: &ApiContext) -> Response {
    let clock = &*context.clock;
    let board = &context.board;
    let Overview {
        state,
        summary,
        is_working: working,
        findings: problems,
        exit_code,
    } = context.overview();
    let now = clock.wall();
    let uptime = clock.boot().saturating_sub(context.started);
    http::json(&Document {
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
        role_aliases: context
            .cache
            .parts(clock)
            .iter()
            .map(|part| part.document(clock))
            .collect(),
        web_tokens: context
            .cache
            .web_tokens()
            .parts(clock)
            .iter()
            .map(|part| part.document(clock))
            .collect(),
        messages: board.messages.borrow().document(clock),
        loopback: board.loopback().map(|part| part.document(clock)),
        credentials_files: credentials_files(context),
        local_mqtt: local_mqtt(context),
        connections: board.accepting.borrow().document(clock),
        log_level: log_level::document(context),
    })
}

fn credentials_files(context: &ApiContext) -> Option<PartDocument<CredentialsFilesDetails>> {
    let part = context.board.credentials_files.borrow().clone();
    (!part.details.files.is_empty()).then(|| part.document(&*context.clock))
}

fn local_mqtt(context: &ApiContext) -> Option<LocalMqttDocument> {
    let mqtt = &context.mqtt;
    mqtt.is_configured().then(|| LocalMqttDocument {
        part: context.board.local_mqtt.borrow().document(&*context.clock),
        clients: mqtt.client_count(),
    })
}
