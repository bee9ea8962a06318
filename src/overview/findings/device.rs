//! Findings about this machine: configuration, token, certificate, clock, messages, listeners.

use std::time::SystemTime;

use crate::event::Event;
use crate::overview::expiry::{Expiry, expiry_problem};
use crate::overview::finding::{
    CERTIFICATE_AWAITED, CERTIFICATE_EXPIRED, CERTIFICATE_EXPIRING, CERTIFICATE_PROBLEM, CERTIFICATE_REFUSED,
    CERTIFICATE_REQUEST, CLOCK_SKEWED, CLOCK_UNSET, CONFIGURATION_DIFFERS, CONFIGURATION_LAST_GOOD,
    CONFIGURATION_PROBLEM, CONFIGURATION_RESTART_NEEDED, CONFIGURATION_WRONG, CONNECTIONS_NOT_ACCEPTED,
    CREDENTIALS_FILE_PROBLEM, Finding, LOCAL_MQTT_DOWN, LOCAL_MQTT_PROBLEM, LOOPBACK_DOWN, LOOPBACK_PROBLEM,
    MESSAGES_PARKED, MESSAGES_PROBLEM, MESSAGES_SET_ASIDE, MESSAGES_UNAVAILABLE, SUBSCRIPTIONS_SUSPENDED, TOKEN_FAILED,
    TOKEN_OTHER_KEYS, TOKEN_PIN, TOKEN_PROBLEM, TOKEN_WAITING,
};
use crate::overview::snapshot::Snapshot;
use crate::status::{
    ClockPhase, ConfigurationPhase, IdentityPhase, LocalMqttPhase, LoopbackPhase, MessagesPhase, TokenPhase,
};

pub(super) fn configuration(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let part = &snapshot.configuration;
    let Some(problem) = part.problem.clone() else { return };
    let id = match part.phase {
        ConfigurationPhase::Wrong => CONFIGURATION_WRONG,
        ConfigurationPhase::LastGood => CONFIGURATION_LAST_GOOD,
        ConfigurationPhase::Differs => CONFIGURATION_DIFFERS,
        ConfigurationPhase::RestartNeeded => CONFIGURATION_RESTART_NEEDED,
        ConfigurationPhase::Loaded => CONFIGURATION_PROBLEM,
    };
    found.push(Finding::reported(id, "configuration", part, problem));
}

pub(super) fn token(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let part = &snapshot.token;
    if let Some(problem) = part.problem.clone() {
        let id = match part.phase {
            TokenPhase::Failed if part.details.pin_rejected => TOKEN_PIN,
            TokenPhase::Failed => TOKEN_FAILED,
            TokenPhase::Waiting => TOKEN_WAITING,
            TokenPhase::Ready => TOKEN_PROBLEM,
        };
        found.push(Finding::reported(id, "token", part, problem));
    }
    if let Some(warning) = part.details.warning.clone() {
        found.push(Finding::notice(
            TOKEN_OTHER_KEYS,
            "token",
            Event::KeyBesideOthers,
            warning,
        ));
    }
}

pub(super) fn identity(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let part = &snapshot.identity;
    let Some(problem) = part.problem.clone() else { return };
    let id = match part.phase {
        IdentityPhase::NoKey => CERTIFICATE_REQUEST,
        IdentityPhase::NoCertificate => CERTIFICATE_AWAITED,
        IdentityPhase::Refused => CERTIFICATE_REFUSED,
        IdentityPhase::Ready if has_expired(snapshot) => CERTIFICATE_EXPIRED,
        IdentityPhase::Ready => CERTIFICATE_PROBLEM,
    };
    found.push(Finding::reported(id, "identity", part, problem));
}

/// Returns whether the identity reports that the certificate in use has expired.
fn has_expired(snapshot: &Snapshot) -> bool {
    let problem = snapshot.identity.problem.as_ref();
    let is_reported = problem.is_some_and(|problem| problem.event == Some(Event::CertificateExpiring));
    let is_over = |(not_before, not_after)| Expiry::at(snapshot.now, not_before, not_after) == Expiry::Over;
    is_reported && validity(snapshot).is_some_and(is_over)
}

/// Reports the expiry of the certificate in use, if the clock is set.
pub(super) fn expiry(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let Some((not_before, not_after)) = validity(snapshot) else {
        return;
    };
    let enrolment = snapshot.identity.details.enrolment.as_ref();
    let method = enrolment.map(|enrolment| enrolment.method);
    let Some(problem) = expiry_problem(snapshot.now, not_before, not_after, method) else {
        return;
    };
    let stage = Expiry::at(snapshot.now, not_before, not_after);
    // Renewal begins at the first stage, and reports its own problems until the urgent one.
    if stage == Expiry::Near && enrolment.is_some() {
        return;
    }
    let is_over = stage == Expiry::Over;
    let id = match is_over {
        true if has_expired(snapshot) => return,
        true => CERTIFICATE_EXPIRED,
        false => CERTIFICATE_EXPIRING,
    };
    found.push(Finding::new(id, "identity", Event::CertificateExpiring, problem));
}

/// Returns the validity of the certificate in use, if the clock is set.
pub(in crate::overview) fn validity(snapshot: &Snapshot) -> Option<(SystemTime, SystemTime)> {
    let details = &snapshot.identity.details;
    let is_applicable = snapshot.identity.phase == IdentityPhase::Ready && snapshot.clock.phase == ClockPhase::Set;
    let moment = |text: &Option<String>| humantime::parse_rfc3339(text.as_deref()?).ok();
    moment(&details.not_before)
        .zip(moment(&details.not_after))
        .filter(|_| is_applicable)
}

pub(super) fn clock(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let Some(problem) = snapshot.clock.problem.clone() else {
        return;
    };
    let id = match snapshot.clock.phase {
        ClockPhase::Unset => CLOCK_UNSET,
        ClockPhase::Set => CLOCK_SKEWED,
    };
    found.push(Finding::reported(id, "clock", &snapshot.clock, problem));
}

pub(super) fn messages(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let (part, details) = (&snapshot.messages, &snapshot.messages.details);
    if let Some(problem) = part.problem.clone() {
        let id = match part.phase {
            MessagesPhase::Failed | MessagesPhase::Opening => MESSAGES_UNAVAILABLE,
            MessagesPhase::Ready => MESSAGES_PROBLEM,
        };
        found.push(Finding::reported(id, "messages", part, problem));
    }
    if details.parked > 0 {
        let message = format!("AWS rejected messages, which are parked: {}", details.parked);
        let notice = Finding::notice(MESSAGES_PARKED, "messages", Event::MessageParked, message);
        found.push(notice.next("gatepost outbox list --parked"));
    }
    if let Some(path) = &details.set_aside {
        let message = format!("the message database was corrupt; messages that had not been sent are in {path}");
        let notice = Finding::notice(MESSAGES_SET_ASIDE, "messages", Event::DatabaseSetAside, message);
        found.push(notice.next("look at the disk of the state folder: dmesg"));
    }
    if details.suspended > 0 {
        let message = format!(
            "durable subscriptions that no access rule allows any more: {}",
            details.suspended
        );
        let notice = Finding::notice(
            SUBSCRIPTIONS_SUSPENDED,
            "messages",
            Event::SubscriptionSuspended,
            message,
        );
        found.push(notice.next("gatepost subscriptions"));
    }
}

pub(super) fn loopback(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let Some(part) = &snapshot.loopback else { return };
    let Some(problem) = part.problem.clone() else { return };
    let id = match part.phase {
        LoopbackPhase::Waiting => LOOPBACK_DOWN,
        LoopbackPhase::Listening => LOOPBACK_PROBLEM,
    };
    found.push(Finding::reported(id, "loopback", part, problem));
}

pub(super) fn local_mqtt(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let part = &snapshot.local_mqtt;
    let Some(problem) = part.problem.clone() else { return };
    let id = match part.phase {
        LocalMqttPhase::Waiting => LOCAL_MQTT_DOWN,
        LocalMqttPhase::Listening | LocalMqttPhase::Off => LOCAL_MQTT_PROBLEM,
    };
    found.push(Finding::reported(id, "local_mqtt", part, problem));
}

pub(super) fn accepting(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let part = &snapshot.accepting;
    let Some(problem) = part.problem.clone() else { return };
    found.push(Finding::reported(
        CONNECTIONS_NOT_ACCEPTED,
        "connections",
        part,
        problem,
    ));
}

pub(super) fn credentials_files(snapshot: &Snapshot, found: &mut Vec<Finding>) {
    let part = &snapshot.credentials_files;
    let Some(problem) = part.problem.clone() else { return };
    found.push(Finding::reported(
        CREDENTIALS_FILE_PROBLEM,
        "credentials_files",
        part,
        problem,
    ));
}
