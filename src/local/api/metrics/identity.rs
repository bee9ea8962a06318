//! Metrics of the key, the certificate, and the requests for the next one.

use super::page::{Page, count, number_of, since_1970, unlabelled};
use crate::local::context::ApiContext;
use crate::status::{EnrolmentDetails, TokenPhase};

/// Adds the metrics of the key and the certificate.
pub(super) fn add(context: &ApiContext, page: &mut Page) {
    let token = context.board.token.borrow();
    page.gauge(
        "gatepost_token_ready",
        "Whether the token is open and has the key.",
        [unlabelled(number_of(token.phase == TokenPhase::Ready))],
    );
    page.histogram(
        "gatepost_token_signature_seconds",
        "How long the token took for a signature.",
        &token.details.latencies,
    );
    let identity = context.board.identity.borrow();
    let end = identity.details.not_after.as_deref();
    let end = end.and_then(|end| humantime::parse_rfc3339(end).ok());
    let now = since_1970(context.clock.aws_now());
    let end = end.and_then(since_1970);
    page.gauge(
        "gatepost_certificate_expiry_timestamp_seconds",
        "When the device certificate ends, in seconds since 1970.",
        end.map(unlabelled),
    );
    let left = end.zip(now).map(|(end, now)| end - now);
    page.gauge(
        "gatepost_certificate_expiry_seconds",
        "How long the device certificate is still valid; negative once it is not.",
        left.map(unlabelled),
    );
    enrolment(identity.details.enrolment.as_ref(), page);
}

fn enrolment(details: Option<&EnrolmentDetails>, page: &mut Page) {
    let results = details.map(|details| {
        let waiting = details.attempts.saturating_sub(details.issued + details.failed);
        [
            ("issued", details.issued),
            ("waiting", waiting),
            ("failed", details.failed),
        ]
    });
    page.counter(
        "gatepost_enrolment_attempts_total",
        "Requests for a certificate, by their result.",
        results
            .into_iter()
            .flatten()
            .map(|(result, number)| (vec![("result", result)], count(number))),
    );
    let next = details.and_then(|details| humantime::parse_rfc3339(details.next_attempt.as_deref()?).ok());
    page.gauge(
        "gatepost_enrolment_next_attempt_timestamp_seconds",
        "When a certificate is requested next, in seconds since 1970: the renewal, or a repeated attempt.",
        next.and_then(since_1970).map(unlabelled),
    );
    page.gauge(
        "gatepost_enrolment_pending",
        "Whether a requested certificate has not come yet.",
        details.map(|details| unlabelled(number_of(details.since.is_some()))),
    );
}
