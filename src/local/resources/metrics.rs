//! GET /metrics: the status in numbers, for Prometheus. Open to every local user, as the status is.

mod page;

use std::time::SystemTime;

use hyper::StatusCode;

use super::super::answer::{self, Answer, ApiError};
use super::super::view::ApiContext;
use crate::build_info;
use crate::credentials::CachedAlias;
use crate::overview::{Overview, State};
use crate::status::{ClockPhase, ConfigurationPhase, MessagesPhase, ProvisioningPhase, SessionPhase, TokenPhase};
use page::{Page, Sample};

/// The page.
pub fn get(shared: &ApiContext) -> Result<Answer, ApiError> {
    let mut page = Page::default();
    daemon(shared, &mut page);
    verdict(&shared.overview(), &mut page);
    identity(shared, &mut page);
    cloud(shared, &mut page);
    credentials(shared, &mut page);
    messages(shared, &mut page);
    requests(shared, &mut page);
    let text = page
        .text()
        .map_err(|why| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", why))?;
    Ok(answer::ok("text/plain; version=0.0.4; charset=utf-8", text.into()))
}

fn daemon(shared: &ApiContext, page: &mut Page) {
    let clock = &*shared.clock;
    let build = vec![
        ("commit", build_info::commit().unwrap_or_default()),
        ("version", build_info::VERSION),
    ];
    page.gauge("gatepost_build_info", "The version of gatepostd.", [(build, 1.0)]);
    let uptime = clock.boot().saturating_sub(shared.started);
    let started = clock.wall().checked_sub(uptime).and_then(since_1970);
    page.gauge(
        "process_start_time_seconds",
        "When gatepostd started, by today's clock, in seconds since 1970.",
        started.map(plain),
    );
    let configuration = shared.board.configuration.borrow().phase;
    page.gauge(
        "gatepost_configuration_loaded",
        "1 where what the configuration files say is in use; 0 where they are wrong, differ from it or wait for a restart.",
        [plain(truth(configuration == ConfigurationPhase::Loaded))],
    );
    page.gauge(
        "gatepost_configuration_last_good",
        "1 while the last good configuration is in use because the files were wrong at the start.",
        [plain(truth(configuration == ConfigurationPhase::LastGood))],
    );
    let set = shared.board.clock.borrow().phase == ClockPhase::Set;
    page.gauge(
        "gatepost_clock_set",
        "Whether the wall clock is plausible.",
        [plain(truth(set))],
    );
    page.gauge(
        "gatepost_clock_skew_seconds",
        "How far the wall clock is ahead of AWS's; negative where it is behind.",
        clock.skew().map(|skew| plain(skew.seconds())),
    );
}

fn verdict(overview: &Overview, page: &mut Page) {
    page.gauge(
        "gatepost_state",
        "1 for the state that the status shows, 0 for the others.",
        State::ALL.map(|one| (vec![("state", one.word())], truth(one == overview.state))),
    );
    page.gauge(
        "gatepost_working",
        "Whether everything that is configured works, whatever should be looked at.",
        [plain(truth(overview.is_working))],
    );
    page.gauge(
        "gatepost_exit_code",
        "The exit code of gatepost status.",
        [plain(f64::from(overview.exit_code))],
    );
    page.gauge(
        "gatepost_problem",
        "1 for each problem that the status shows.",
        overview.findings.iter().map(|finding| {
            let alias = finding.role_alias.as_deref().unwrap_or_default();
            let labels = vec![
                ("id", finding.id),
                ("role_alias", alias),
                ("severity", finding.severity.word()),
            ];
            (labels, 1.0)
        }),
    );
}

fn identity(shared: &ApiContext, page: &mut Page) {
    let token = shared.board.token.borrow();
    page.gauge(
        "gatepost_token_ready",
        "Whether the token is open and has the key.",
        [plain(truth(token.phase == TokenPhase::Ready))],
    );
    page.histogram(
        "gatepost_token_signature_seconds",
        "How long the token took for a signature.",
        &token.details.latencies,
    );
    let identity = shared.board.identity.borrow();
    let end = identity.details.not_after.as_deref();
    let end = end.and_then(|end| humantime::parse_rfc3339(end).ok());
    let now = since_1970(shared.clock.aws_now());
    let end = end.and_then(since_1970);
    page.gauge(
        "gatepost_certificate_expiry_timestamp_seconds",
        "When the device certificate ends, in seconds since 1970.",
        end.map(plain),
    );
    let left = end.zip(now).map(|(end, now)| end - now);
    page.gauge(
        "gatepost_certificate_expiry_seconds",
        "How long the device certificate is still valid; negative once it is not.",
        left.map(plain),
    );
}

fn cloud(shared: &ApiContext, page: &mut Page) {
    let provisioned = shared.board.provisioning.borrow().phase == ProvisioningPhase::Provisioned;
    page.gauge(
        "gatepost_provisioned",
        "Whether AWS has accepted this device.",
        [plain(truth(provisioned))],
    );
    let session = shared.board.session.borrow();
    page.gauge(
        "gatepost_session_up",
        "Whether the MQTT session is connected.",
        [plain(truth(session.phase == SessionPhase::Connected))],
    );
    page.counter(
        "gatepost_session_connects_total",
        "Connections of the MQTT session that AWS has accepted.",
        [plain(count(session.details.connects))],
    );
    page.gauge(
        "gatepost_session_filters_set_aside",
        "Topic filters whose subscriptions are set aside, because what came with them ended every connection.",
        [plain(count(
            u64::try_from(session.details.filters_set_aside.len()).unwrap_or(u64::MAX),
        ))],
    );
}

fn messages(shared: &ApiContext, page: &mut Page) {
    let part = shared.board.messages.borrow().clone();
    let details = part.details;
    page.gauge(
        "gatepost_messages_ready",
        "Whether messages are accepted.",
        [plain(truth(part.phase == MessagesPhase::Ready))],
    );
    for (name, help, value) in [
        (
            "gatepost_outbox_messages",
            "Messages that AWS has not acknowledged yet.",
            details.queued,
        ),
        (
            "gatepost_outbox_bytes",
            "Bytes of those messages.",
            details.queued_bytes,
        ),
        (
            "gatepost_outbox_parked",
            "Messages that AWS did not take, kept aside.",
            details.parked,
        ),
    ] {
        page.gauge(name, help, [plain(count(value))]);
    }
    let outcomes = [
        ("accepted", details.accepted),
        ("acknowledged", details.acknowledged),
        ("refused", details.refused),
        ("dropped", details.dropped),
        ("expired", details.expired),
    ];
    page.counter(
        "gatepost_outbox_messages_total",
        "Messages of local programs by what became of them.",
        outcomes.map(|(outcome, number)| (vec![("outcome", outcome)], count(number))),
    );
    page.counter(
        "gatepost_inbox_dropped_total",
        "Messages that durable subscriptions have lost, because there was no room.",
        [plain(count(details.inbox_dropped))],
    );
    page.gauge(
        "gatepost_subscriptions_suspended",
        "Durable subscriptions that no access rule gives their owners any more.",
        [plain(count(details.suspended))],
    );
}

fn credentials(shared: &ApiContext, page: &mut Page) {
    let clock = &*shared.clock;
    let aliases = shared.cache.aliases(clock);
    let name = |alias: &CachedAlias| alias.status.details.name.clone();
    let names: Vec<String> = aliases.iter().map(name).collect();
    let named = || names.iter().map(String::as_str).zip(&aliases);
    page.gauge(
        "gatepost_credentials_valid",
        "Whether programs get credentials of the role alias.",
        named().map(|(name, alias)| (vec![("role_alias", name)], truth(alias.usable(clock).is_some()))),
    );
    page.gauge(
        "gatepost_credentials_expiry_seconds",
        "How long the credentials held for the role alias still live.",
        named().filter_map(|(name, alias)| {
            let left = alias.set.as_ref()?.credentials.remaining(clock);
            Some((vec![("role_alias", name)], left.as_secs_f64()))
        }),
    );
    let mut refreshes = Vec::new();
    for (name, alias) in named() {
        let done = &alias.status.details.refreshes;
        for (result, number) in [
            ("success", done.succeeded),
            ("transient_failure", done.transient),
            ("refused", done.refused),
        ] {
            refreshes.push((vec![("result", result), ("role_alias", name)], count(number)));
        }
    }
    page.counter(
        "gatepost_credentials_refreshes_total",
        "Requests to the credentials provider, by what came of them.",
        refreshes,
    );
}

fn requests(shared: &ApiContext, page: &mut Page) {
    let counts = shared.tally.counts();
    let counts: Vec<_> = counts
        .into_iter()
        .map(|(door, status, number)| (door, status.to_string(), number))
        .collect();
    page.counter(
        "gatepost_requests_total",
        "Requests of local programs that were answered, by where they came in and the status code.",
        counts
            .iter()
            .map(|(door, status, number)| (vec![("code", status.as_str()), ("listener", *door)], count(*number))),
    );
}

fn plain<'a>(value: f64) -> Sample<'a> {
    (Vec::new(), value)
}

fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Prometheus's numbers are all f64; no count of ours comes near to where that loses one.
#[allow(clippy::cast_precision_loss)]
fn count(number: u64) -> f64 {
    number as f64
}

fn since_1970(time: SystemTime) -> Option<f64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs_f64())
}
