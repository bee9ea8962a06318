//! The lines of the status screen for each part of the daemon. Missing members of the document are left out.

mod files;

use self::files::credentials_files;
use super::identity::identity;
use super::screen::{Colour, Screen, length, named};
use crate::instant::{Instant, duration};
use crate::json::Value;
use crate::size::size;
use crate::terminal::Terminal;

/// Formats the whole screen.
pub(super) fn draw(document: &Value, terminal: Terminal) -> String {
    let now = document.get("now").text().and_then(Instant::parse);
    let mut screen = Screen::new(now, terminal);
    match document.get("state").text() {
        Some("ready") => screen.headline("gatepost is ready.", Colour::Green),
        Some("waiting") => screen.headline("gatepost is waiting.", Colour::Yellow),
        Some("attention") => screen.headline("gatepost needs attention.", Colour::Red),
        other => screen.headline(
            &format!("gatepost's state: {}", other.unwrap_or("unknown")),
            Colour::Yellow,
        ),
    }
    if let Some(summary) = document.get("summary").text() {
        screen.paragraph(summary);
    }
    if document.get("exit_code").whole_number() == Some(68) || document.get("ended").text().is_some() {
        // A daemon that is not running has no parts to show.
        return screen.finish();
    }
    screen.blank();

    configuration(&mut screen, document.get("configuration"));
    identity(&mut screen, document.get("identity"), document.get("token"));
    more(&mut screen, document, "identity");
    token(&mut screen, document.get("token"));
    clock(&mut screen, document.get("clock"));
    for (name, title, usual) in [
        ("connections", "Connections", &["accepting"][..]),
        ("network", "Network", &["up", "unknown"]),
        ("configuration", "Configuration", &["loaded"]),
    ] {
        let part = document.get(name);
        if part.get("phase").text().is_some_and(|phase| !usual.contains(&phase)) {
            screen.part(title, "", part, &[]);
        }
    }
    provisioning(&mut screen, document.get("provisioning"));
    session(&mut screen, document.get("session"));
    more(&mut screen, document, "session");
    for alias in document.get("role_aliases").items() {
        role_alias(&mut screen, alias, document.get("clock"));
    }
    more(&mut screen, document, "role_aliases");
    for token in document.get("web_tokens").items() {
        web_token(&mut screen, token, document.get("clock"));
    }
    more(&mut screen, document, "web_tokens");
    messages(&mut screen, document.get("messages"));
    let loopback = document.get("loopback");
    if loopback.is_object() {
        screen.part("Loopback", "", loopback, &[named("at", loopback.get("listen"))]);
    }
    credentials_files(&mut screen, document.get("credentials_files"));
    local_mqtt(&mut screen, document.get("local_mqtt"));

    screen.blank();
    let version = document.get("version").text().map(|version| {
        let commit = document.get("commit").text();
        let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
        format!("gatepostd {version}{commit}")
    });
    let footer = [
        version,
        screen.at("started", document.get("started")),
        named("clock", document.get("now")),
        changed_log_level(document.get("log_level")),
    ];
    screen.paragraph(&footer.into_iter().flatten().collect::<Vec<_>>().join(", "));
    screen.finish()
}

/// Shows the log level only if it differs from the one at the start: somebody may have forgotten to reset it.
fn changed_log_level(log_level: &Value) -> Option<String> {
    let (level, usual) = (log_level.get("level").text()?, log_level.get("usual").text()?);
    let until = log_level.get("until").text().map(|until| format!(" until {until}"));
    (level != usual).then(|| format!("log level {level}{}", until.unwrap_or_default()))
}

/// Shows the configuration only if the files differ from what is in use.
fn configuration(screen: &mut Screen, configuration: &Value) {
    if configuration.is_object() && configuration.get("phase").text() != Some("loaded") {
        let details = [screen.at("loaded", configuration.get("loaded"))];
        screen.part("Configuration", "", configuration, &details);
    }
}

/// Shows findings of the verdict about a part, other than the part's own problem.
fn more(screen: &mut Screen, document: &Value, part: &str) {
    const IDS: [&str; 4] = [
        "certificate-expiring",
        "certificate-expired",
        "session-unstable",
        "role-alias-unstable",
    ];
    for problem in document.get("problems").items() {
        let is_meant = problem.get("part").text() == Some(part);
        if is_meant && problem.get("id").text().is_some_and(|id| IDS.contains(&id)) {
            screen.problem(problem);
        }
    }
}

fn token(screen: &mut Screen, token: &Value) {
    let signatures = token.get("signatures").whole_number();
    let details = [
        token.get("key").text().map(str::to_owned),
        token.get("algorithm").text().map(str::to_owned),
        signatures.map(|count| format!("{count} signature{}", if count == 1 { "" } else { "s" })),
        named("warning", token.get("warning")),
    ];
    screen.part("Token", "", token, &details);
}

fn clock(screen: &mut Screen, clock: &Value) {
    let skew = clock.get("skew_seconds").integer().filter(|seconds| *seconds != 0);
    let skew = skew.map(|seconds| {
        let direction = if seconds < 0 { "behind" } else { "ahead of" };
        format!("{} {direction} AWS's clock", duration(seconds.unsigned_abs()))
    });
    screen.part("Clock", "", clock, &[skew]);
}

fn provisioning(screen: &mut Screen, provisioning: &Value) {
    let attempts = provisioning.get("attempts").whole_number();
    let under_way = provisioning.get("phase").text() != Some("provisioned");
    let details = [
        attempts
            .filter(|count| under_way && *count > 0)
            .map(|count| format!("connections tried: {count}")),
        screen.at("next attempt", provisioning.get("next_attempt")),
    ];
    screen.part("Provisioning", "", provisioning, &details);
}

fn session(screen: &mut Screen, session: &Value) {
    let resumed = session.get("session_present").flag().map(|present| match present {
        true => "session resumed".to_owned(),
        false => "new session".to_owned(),
    });
    let details = [
        session.get("endpoint").text().map(str::to_owned),
        named("through the proxy", session.get("proxy")),
        named("client ID", session.get("client_id")),
        resumed,
        length("kept when offline for", session.get("session_expiry_seconds")),
        taken_over(screen, session.get("taken_over")),
        screen.at("next attempt", session.get("next_attempt")),
    ];
    screen.part("MQTT session", "", session, &details);
}

/// Returns how often another client has taken over the session. This stays in the status until the session has lasted for an hour.
fn taken_over(screen: &Screen, takeovers: &Value) -> Option<String> {
    let times = takeovers.get("times").whole_number()?;
    let last = screen.at("last", takeovers.get("last"))?;
    Some(match times {
        1 => format!("taken over once, {last}"),
        _ => format!(
            "taken over {times} times {}, {last}",
            screen.at("since", takeovers.get("since"))?
        ),
    })
}

fn messages(screen: &mut Screen, messages: &Value) {
    if !messages.is_object() {
        return;
    }
    let count = |name: &str| messages.get(name).whole_number().filter(|count| *count > 0);
    let bytes = messages.get("queued_bytes").whole_number().map(size);
    let queued = messages
        .get("queued")
        .whole_number()
        .map(|queued| match (queued, bytes) {
            _ if messages.get("opened").flag() == Some(false) => {
                "number queued unknown: the store is not open yet".to_owned()
            }
            (0, _) => "none queued".to_owned(),
            (queued, Some(bytes)) => format!("{queued} queued ({bytes})"),
            (queued, None) => format!("{queued} queued"),
        });
    let since_start = |name, words: &str| count(name).map(|count| format!("{count} {words} since start"));
    let details = [
        queued,
        count("parked").map(|count| format!("{count} parked (see: gatepost outbox list --parked)")),
        since_start("refused", "refused because the outbox was full"),
        since_start("dropped", "dropped"),
        since_start("expired", "dropped because of their age"),
        since_start("inbox_dropped", "lost by durable subscriptions"),
        count("suspended").map(|count| {
            format!(
                "{count} durable subscriptions suspended: no rule allows them any more (see: gatepost subscriptions)"
            )
        }),
        named("a corrupt database was moved to", messages.get("set_aside")),
    ];
    screen.part("Messages", "", messages, &details);
}

fn local_mqtt(screen: &mut Screen, mqtt: &Value) {
    if !mqtt.is_object() {
        return;
    }
    let clients = mqtt.get("clients").whole_number();
    let details = [
        named("at", mqtt.get("socket")),
        named("at", mqtt.get("listen")),
        clients.map(|clients| format!("{clients} clients")),
    ];
    screen.part("MQTT programs", "", mqtt, &details);
}

fn role_alias(screen: &mut Screen, alias: &Value, clock: &Value) {
    let skew = clock.get("skew_seconds").integer().unwrap_or(0);
    let name = alias.get("name").text().unwrap_or("(no name)");
    let default = if alias.get("default").flag() == Some(true) {
        " (default)"
    } else {
        ""
    };
    // Nothing was received yet, so there is nothing to refresh.
    let next = alias
        .get("expiration")
        .text()
        .map_or("next attempt", |_| "next refresh");
    let details = [
        screen.expiry_by_aws(alias.get("expiration"), skew),
        screen.at("refreshed", alias.get("refreshed")),
        screen.at(next, alias.get("next_refresh")),
    ];
    screen.part("Role alias", &format!("{name}{default}: "), alias, &details);
}

fn web_token(screen: &mut Screen, token: &Value, clock: &Value) {
    let skew = clock.get("skew_seconds").integer().unwrap_or(0);
    let audience = token.get("audience").text().unwrap_or("(no audience)");
    let details = [
        screen.expiry_by_aws(token.get("expiration"), skew),
        screen.at("next request", token.get("next_refresh")),
    ];
    screen.part("Token", &format!("{audience}: "), token, &details);
}

#[cfg(test)]
mod tests;
