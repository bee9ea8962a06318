//! Findings about the access to AWS: network, provisioning, session, role aliases.

use std::time::Duration;

use crate::credentials::{AliasPart, AliasPhase, WebTokenPart, WebTokenPhase};
use crate::event::Event;
use crate::overview::finding::{
    CERTIFICATE_NOT_ACCEPTED, Finding, NETWORK_DOWN, NOT_PROVISIONED, ROLE_ALIAS_FAILING, ROLE_ALIAS_REFRESH,
    ROLE_ALIAS_UNSTABLE, ROLE_ALIAS_WAITING, SESSION_DISCARDED, SESSION_DOWN, SESSION_PROBLEM, SESSION_TAKEN_OVER,
    SESSION_UNSTABLE, Severity, WEB_TOKEN_FAILING,
};
use crate::overview::snapshot::Snapshot;
use crate::problem::Problem;
use crate::status::{ProvisioningPhase, Repeats, SessionDetails, SessionPhase};

/// Number of failures within an hour that counts as unstable. Fewer are normal in a network.
const UNSTABLE: u64 = 3;

pub(super) fn network(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    if let Some(problem) = snapshot.network.problem.clone().filter(|_| snapshot.is_cut_off()) {
        found.push(Finding::reported(NETWORK_DOWN, "network", &snapshot.network, problem));
    }
}

pub(super) fn provisioning(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let Some(problem) = snapshot.provisioning.problem.clone() else {
        return;
    };
    // A session that is connected uses the previous certificate.
    let is_up = snapshot.session.phase == SessionPhase::Connected;
    let id = match snapshot.provisioning.phase {
        ProvisioningPhase::Provisioned => CERTIFICATE_NOT_ACCEPTED,
        _ if is_up => CERTIFICATE_NOT_ACCEPTED,
        _ => NOT_PROVISIONED,
    };
    found.push(Finding::reported(id, "provisioning", &snapshot.provisioning, problem));
}

pub(super) fn session(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let (part, details) = (&snapshot.session, &snapshot.session.details);
    if let Some(problem) = part.problem.clone() {
        let is_taken_over = problem.event == Some(Event::SessionTakenOver);
        let (id, problem) = match part.phase {
            _ if is_taken_over => (SESSION_TAKEN_OVER, taken_over(problem, details)),
            SessionPhase::Connected => (SESSION_PROBLEM, problem),
            _ => (SESSION_DOWN, problem),
        };
        found.push(Finding::reported(id, "session", part, problem));
    }
    let losses = details
        .losses
        .as_ref()
        .and_then(|losses| unstable(losses, snapshot.boot));
    if let Some(how_often) = losses {
        let problem = Problem::wait(format!("the MQTT connection was lost {how_often}"));
        let step = "journalctl -u gatepost shows the reason of each loss";
        found.push(Finding::new(
            SESSION_UNSTABLE,
            "session",
            Event::SessionUnstable,
            problem.next(step),
        ));
    }
    if let (Some(why), Some(at)) = (&details.discarded_because, &details.discarded_at) {
        let message = format!("{why} (at {at})");
        found.push(Finding::notice(
            SESSION_DISCARDED,
            "session",
            Event::SessionDiscarded,
            message,
        ));
    }
}

/// Adds the number of takeovers to the problem. The part itself leaves it out, so that not every takeover is logged as a new problem.
fn taken_over(mut problem: Problem, details: &SessionDetails) -> Problem {
    if let Some(takeovers) = &details.taken_over {
        let (times, since, last) = (takeovers.times, &takeovers.since, &takeovers.last);
        let how_often = match times {
            1 => format!("once, at {last}"),
            _ => format!("{times} times since {since}, the last time at {last}"),
        };
        problem.message = format!("{} ({how_often})", problem.message);
    }
    problem
}

pub(super) fn role_alias(part: &AliasPart, boot: Duration, found: &mut Vec<Finding>) {
    let details = &part.details;
    let name = &details.name;
    let failures = details.failures.as_ref();
    let how_often = failures.and_then(|failures| unstable(failures, boot));
    match (part.phase, part.problem.clone()) {
        (AliasPhase::Failing, problem) => {
            let problem = problem.unwrap_or_else(|| {
                Problem::wait(format!(
                    "the credentials of role alias {name} have expired, and no new ones have come"
                ))
            });
            found.push(Finding::reported(ROLE_ALIAS_FAILING, "role_aliases", part, problem).about(name));
        }
        (AliasPhase::Waiting, Some(problem)) => {
            found.push(Finding::reported(ROLE_ALIAS_WAITING, "role_aliases", part, problem).about(name));
        }
        // The refresh fails because of a finding that is in the list already.
        (AliasPhase::Valid, Some(problem)) if found.iter().any(|cause| cause.is_cause_of(&problem)) => {}
        (AliasPhase::Valid, Some(problem)) => {
            let mut finding = Finding::reported(ROLE_ALIAS_REFRESH, "role_aliases", part, problem).about(name);
            // A single failure is retried long before the credentials expire.
            if finding.severity == Severity::Waiting && u64::from(details.failed_in_a_row) < UNSTABLE {
                finding.severity = Severity::Notice;
            }
            if let (Some(how_often), true) = (how_often, finding.severity.changes_state()) {
                finding.problem.message = format!("{} (failed {how_often})", finding.problem.message);
            }
            found.push(finding);
        }
        (AliasPhase::Valid, None) => {
            if let Some(how_often) = how_often {
                let message = format!("role alias {name}: refreshing its credentials has failed {how_often}");
                let step = "journalctl -u gatepost shows the reason of each failure";
                let problem = Problem::wait(message).next(step);
                found
                    .push(Finding::new(ROLE_ALIAS_UNSTABLE, "role_aliases", Event::AliasUnstable, problem).about(name));
            }
        }
        (AliasPhase::Waiting, None) => {}
    }
}

/// Adds the finding of a missing token, unless the list has its reason already.
pub(super) fn web_token(part: &WebTokenPart, found: &mut Vec<Finding>) {
    if let (WebTokenPhase::Failing, Some(problem)) = (part.phase, part.problem.clone())
        && !found.iter().any(|cause| cause.problem.message == problem.message)
    {
        found.push(Finding::reported(WEB_TOKEN_FAILING, "web_tokens", part, problem));
    }
}

/// Returns the number and times of the occurrences, if they count as unstable.
fn unstable(repeats: &Repeats, boot: Duration) -> Option<String> {
    let times = repeats.in_the_last_hour(boot);
    (times >= UNSTABLE).then(|| {
        format!(
            "{times} times since {}, the last time at {}",
            repeats.since, repeats.last
        )
    })
}
