//! GET /metrics: the status as Prometheus metrics. Every local user may read it, as the status.

mod identity;
mod mqtt;
mod page;

use hyper::StatusCode;

use crate::build_info;
use crate::credentials::{CachedAlias, WebTokenPhase};
use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response};
use crate::overview::{Overview, State};
use crate::status::{ClockPhase, ConfigurationPhase, MessagesPhase, ProvisioningPhase, SessionPhase};
use page::{Page, count, number_of, since_1970, unlabelled};

/// Returns the metrics.
pub fn get(context: &ApiContext) -> Result<Response, ApiError> {
    let mut page = Page::default();
    daemon(context, &mut page);
    state(&context.overview(), &mut page);
    identity::add(context, &mut page);
    cloud(context, &mut page);
    credentials(context, &mut page);
    messages(context, &mut page);
    requests(context, &mut page);
    mqtt::add(context, &mut page);
    let text = page
        .text()
        .map_err(|reason| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", reason))?;
    Ok(http::ok("text/plain; version=0.0.4; charset=utf-8", text.into()))
}

fn daemon(context: &ApiContext, page: &mut Page) {
    let clock = &*context.clock;
    let build = vec![
        ("commit", build_info::commit().unwrap_or_default()),
        ("version", build_info::VERSION),
    ];
    page.gauge("gatepost_build_info", "The version of gatepostd.", [(build, 1.0)]);
    let uptime = clock.boot().saturating_sub(context.started);
    let started = clock.wall().checked_sub(uptime).and_then(since_1970);
    page.gauge(
        "process_start_time_seconds",
        "When gatepostd started, by today's clock, in seconds since 1970.",
        started.map(unlabelled),
    );
    let configuration = context.board.configuration.borrow().phase;
    page.gauge(
        "gatepost_configuration_loaded",
        "1 if the configuration in the files is in use; 0 if the files are wrong, were not loaded or wait for a restart.",
        [unlabelled(number_of(configuration == ConfigurationPhase::Loaded))],
    );
    page.gauge(
        "gatepost_configuration_last_good",
        "1 while the last good configuration is in use because the files were wrong at the start.",
        [unlabelled(number_of(configuration == ConfigurationPhase::LastGood))],
    );
    let is_set = context.board.clock.borrow().phase == ClockPhase::Set;
    page.gauge(
        "gatepost_clock_set",
        "Whether the wall clock is plausible.",
        [unlabelled(number_of(is_set))],
    );
    page.gauge(
        "gatepost_clock_skew_seconds",
        "How far the wall clock is ahead of AWS's; negative where it is behind.",
        clock.skew().map(|skew| unlabelled(skew.seconds())),
    );
}

fn state(overview: &Overview, page: &mut Page) {
    page.gauge(
        "gatepost_state",
        "1 for the state that the status shows, 0 for the others.",
        State::ALL.map(|state| (vec![("state", state.word())], number_of(state == overview.state))),
    );
    page.gauge(
        "gatepost_working",
        "Whether everything that is configured works, even if a problem needs attention.",
        [unlabelled(number_of(overview.is_working))],
    );
    page.gauge(
        "gatepost_exit_code",
        "The exit code of gatepost status.",
        [unlabelled(f64::from(overview.exit_code))],
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

fn cloud(context: &ApiContext, page: &mut Page) {
    let provisioned = context.board.provisioning.borrow().phase == ProvisioningPhase::Provisioned;
    page.gauge(
        "gatepost_provisioned",
        "Whether AWS has accepted this device.",
        [unlabelled(number_of(provisioned))],
    );
    let session = context.board.session.borrow();
    page.gauge(
        "gatepost_session_up",
        "Whether the MQTT session is connected.",
        [unlabelled(number_of(session.phase == SessionPhase::Connected))],
    );
    page.counter(
        "gatepost_session_connects_total",
        "Connections of the MQTT session that AWS has accepted.",
        [unlabelled(count(session.details.connects))],
    );
    page.counter(
        "gatepost_inbox_not_taken_total",
        "Messages of AWS at QoS 1 that no program and no durable subscription has taken; they were refused to AWS.",
        [unlabelled(count(session.details.not_taken))],
    );
    page.gauge(
        "gatepost_session_filters_set_aside",
        "Topic filters whose subscriptions are set aside, because their messages ended every connection.",
        [unlabelled(count(
            u64::try_from(session.details.filters_set_aside.len()).unwrap_or(u64::MAX),
        ))],
    );
}

fn messages(context: &ApiContext, page: &mut Page) {
    let part = context.board.messages.borrow().clone();
    let details = part.details;
    page.gauge(
        "gatepost_messages_ready",
        "Whether messages are accepted.",
        [unlabelled(number_of(part.phase == MessagesPhase::Ready))],
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
            "Messages that AWS rejected and that are parked.",
            details.parked,
        ),
    ] {
        page.gauge(name, help, [unlabelled(count(value))]);
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
        "Messages of local programs, by outcome.",
        outcomes.map(|(outcome, number)| (vec![("outcome", outcome)], count(number))),
    );
    page.counter(
        "gatepost_inbox_dropped_total",
        "Messages that durable subscriptions have lost, because there was no room.",
        [unlabelled(count(details.inbox_dropped))],
    );
    page.gauge(
        "gatepost_subscriptions_suspended",
        "Durable subscriptions that no access rule allows their owners any more.",
        [unlabelled(count(details.suspended))],
    );
}

fn credentials(context: &ApiContext, page: &mut Page) {
    let clock = &*context.clock;
    let aliases = context.cache.aliases(clock);
    let name = |alias: &CachedAlias| alias.status.details.name.clone();
    let names: Vec<String> = aliases.iter().map(name).collect();
    let named = || names.iter().map(String::as_str).zip(&aliases);
    page.gauge(
        "gatepost_credentials_valid",
        "Whether programs get credentials of the role alias.",
        named().map(|(name, alias)| (vec![("role_alias", name)], number_of(alias.usable(clock).is_some()))),
    );
    page.gauge(
        "gatepost_credentials_expiry_seconds",
        "Remaining lifetime of the role alias's credentials.",
        named().filter_map(|(name, alias)| {
            let left = alias.set.as_ref()?.credentials.remaining(clock);
            Some((vec![("role_alias", name)], left.as_secs_f64()))
        }),
    );
    let tokens = context.cache.web_tokens().parts(clock);
    page.gauge(
        "gatepost_web_token_valid",
        "Whether programs get a token for the audience.",
        tokens.iter().map(|part| {
            let audience = vec![("audience", part.details.audience.as_str())];
            (audience, number_of(part.phase == WebTokenPhase::Valid))
        }),
    );
    let requests = tokens.iter().flat_map(|part| {
        let of = |result, number| {
            (
                vec![("audience", part.details.audience.as_str()), ("result", result)],
                count(number),
            )
        };
        [of("ok", part.details.succeeded), of("failed", part.details.failed)]
    });
    page.counter(
        "gatepost_web_token_requests_total",
        "Requests to STS for a token for the audience, by outcome.",
        requests.collect::<Vec<_>>(),
    );
    let mut refreshes = Vec::new();
    for (name, alias) in named() {
        let refreshes_of_alias = &alias.status.details.refreshes;
        for (result, number) in [
            ("success", refreshes_of_alias.succeeded),
            ("transient_failure", refreshes_of_alias.transient),
            ("refused", refreshes_of_alias.refused),
        ] {
            refreshes.push((vec![("result", result), ("role_alias", name)], count(number)));
        }
    }
    page.counter(
        "gatepost_credentials_refreshes_total",
        "Requests to the credentials provider, by outcome.",
        refreshes,
    );
}

fn requests(context: &ApiContext, page: &mut Page) {
    let counts = context.request_counts.counts();
    let counts: Vec<_> = counts
        .into_iter()
        .map(|(listener, status, number)| (listener, status.to_string(), number))
        .collect();
    page.counter(
        "gatepost_requests_total",
        "Requests of local programs that were answered, by listener and status code.",
        counts.iter().map(|(listener, status, number)| {
            (vec![("code", status.as_str()), ("listener", *listener)], count(*number))
        }),
    );
}
