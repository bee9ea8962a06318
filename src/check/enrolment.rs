//! Reports how the next certificate is obtained, from the status of the running daemon.

use serde_json::Value;

use super::lines::ENROLMENT;
use super::report::Report;
use crate::problem::Problem;

/// Reports enrolment, where a method brings certificates without a person. A problem that needs a person is reported with the
/// certificate.
pub fn check(status: &Value, report: &mut Report) {
    let text = |name: &str| status.pointer(&format!("/identity/enrolment/{name}"))?.as_str();
    let Some(method) = text("method") else { return };
    let message = text("problem/message");
    match (text("since"), text("next_attempt"), message) {
        (Some(since), next, why) => {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let next = next.map(|next| format!(", next at {next}")).unwrap_or_default();
            let problem = Problem::wait(format!(
                "method {method}: a certificate is asked for since {since}{next}{why}"
            ));
            report.warn(
                ENROLMENT,
                &problem.next("gatepost renew --wait asks now, and prints the result"),
            );
        }
        (None, _, Some(why)) => report.warn(ENROLMENT, &Problem::wait(format!("method {method}: {why}"))),
        (None, Some(due), None) => report.ok(
            ENROLMENT,
            format!("method {method}: the next certificate is asked for at {due}"),
        ),
        (None, None, None) => report.ok(ENROLMENT, format!("method {method}: no certificate is asked for")),
    }
}
