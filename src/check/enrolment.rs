//! Reports how the next certificate is obtained, from the status of the running daemon.

use serde_json::Value;

use super::lines::{ENROLMENT, ROTATION};
use super::report::Report;
use crate::problem::Problem;

/// Reports the rotation by jobs of AWS IoT, if it is configured.
pub fn check_rotation(status: &Value, report: &mut Report) {
    let Some(rotation) = status.pointer("/identity/rotation").filter(|part| part.is_object()) else {
        return;
    };
    let text = |name: &str| rotation.pointer(name)?.as_str();
    match (text("/problem/message"), text("/job_id"), text("/step")) {
        (Some(message), ..) => {
            let problem = Problem::wait(message.to_owned());
            report.warn(
                ROTATION,
                &match text("/problem/next_step") {
                    Some(step) => problem.next(step.to_owned()),
                    None => problem,
                },
            );
        }
        (None, Some(job), step) => {
            let since = text("/since")
                .map(|since| format!(" since {since}"))
                .unwrap_or_default();
            let step = step.map(|step| format!(", {step}")).unwrap_or_default();
            report.ok(ROTATION, format!("job {job} rotates the certificate{since}{step}"));
        }
        (None, None, _) => report.ok(ROTATION, "no job rotates the certificate"),
    }
}

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
                "method {method}: a certificate has been requested since {since}{next}{why}"
            ));
            report.warn(
                ENROLMENT,
                &problem.next("gatepost renew --wait requests it now, and prints the result"),
            );
        }
        (None, _, Some(why)) => report.warn(ENROLMENT, &Problem::wait(format!("method {method}: {why}"))),
        (None, Some(due), None) => report.ok(
            ENROLMENT,
            format!("method {method}: the next certificate will be requested at {due}"),
        ),
        (None, None, None) => report.ok(ENROLMENT, format!("method {method}: no certificate is requested")),
    }
}
