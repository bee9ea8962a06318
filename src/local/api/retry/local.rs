//! Retry requests for the tasks of the local thread: listeners and credentials files.

use super::line::{Line, Outcome};
use crate::local::context::ApiContext;
use crate::retry::RetryTarget;
use crate::status::{CredentialsFilesPart, CredentialsFilesPhase, LocalMqttPhase, LoopbackPhase};

/// Tries the loopback listener again. `None` if none is configured.
pub(super) fn retry_loopback(context: &ApiContext) -> Option<Line> {
    let part = context.board.loopback()?;
    let is_listening = part.phase == LoopbackPhase::Listening;
    Some(retry_listener(
        context,
        "loopback",
        is_listening,
        part.problem.is_some(),
    ))
}

/// Tries the MQTT listeners again. `None` if none is configured.
pub(super) fn retry_local_mqtt(context: &ApiContext) -> Option<Line> {
    let part = context.board.local_mqtt.borrow();
    let is_listening = match part.phase {
        LocalMqttPhase::Off => return None,
        phase => phase == LocalMqttPhase::Listening,
    };
    Some(retry_listener(
        context,
        "local_mqtt",
        is_listening,
        part.problem.is_some(),
    ))
}

fn retry_listener(context: &ApiContext, part: &'static str, is_listening: bool, has_problem: bool) -> Line {
    let judged = judge_listener(is_listening, has_problem);
    if judged.0 == Outcome::Woken {
        context.retries.request(RetryTarget::Listeners);
    }
    Line::new(part, None, judged)
}

fn judge_listener(is_listening: bool, has_problem: bool) -> (Outcome, String) {
    let (outcome, message) = match (is_listening, has_problem) {
        (true, false) => (Outcome::Nothing, "programs can connect"),
        (true, true) => (
            Outcome::Woken,
            "programs can connect; the token files are tried again now",
        ),
        (false, _) => (Outcome::Woken, "it is bound now"),
    };
    (outcome, message.to_owned())
}

/// Tries the credentials files again. `None` if none is configured.
pub(super) fn retry_files(context: &ApiContext) -> Option<Line> {
    let part = context.board.credentials_files.borrow().clone();
    if part.details.files.is_empty() {
        return None;
    }
    let judged = judge_files(&part);
    if judged.0 == Outcome::Woken {
        context.retries.request(RetryTarget::CredentialsFiles);
    }
    Some(Line::new("credentials_files", None, judged))
}

fn judge_files(part: &CredentialsFilesPart) -> (Outcome, String) {
    let (outcome, message) = match (&part.problem, part.phase) {
        (Some(_), _) => (Outcome::Woken, "those that failed are tried again now"),
        (None, CredentialsFilesPhase::Written) => (Outcome::Nothing, "all are written"),
        (None, CredentialsFilesPhase::Waiting) => (
            Outcome::Nothing,
            "they are written as soon as there are credentials (see: gatepost retry credentials)",
        ),
    };
    (outcome, message.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::problem::Problem;
    use crate::status::CredentialsFilesDetails;

    #[test]
    fn a_listener_is_tried_again_unless_it_needs_nothing() {
        for (is_listening, has_problem, outcome, words) in [
            (false, true, Outcome::Woken, "it is bound now"),
            // The first attempt is under way.
            (false, false, Outcome::Woken, "it is bound now"),
            (true, true, Outcome::Woken, "token files"),
            (true, false, Outcome::Nothing, "programs can connect"),
        ] {
            let (found, message) = judge_listener(is_listening, has_problem);
            assert_eq!(found, outcome, "{message}");
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn files_are_tried_again_if_one_has_failed() {
        use CredentialsFilesPhase::{Waiting, Written};
        for (phase, has_problem, outcome, words) in [
            (Waiting, true, Outcome::Woken, "tried again now"),
            (Written, false, Outcome::Nothing, "all are written"),
            (Waiting, false, Outcome::Nothing, "gatepost retry credentials"),
        ] {
            let part = CredentialsFilesPart {
                phase,
                since: Duration::ZERO,
                problem: has_problem.then(|| Problem::configuration("there is no user camera")),
                details: CredentialsFilesDetails::default(),
            };
            let (found, message) = judge_files(&part);
            assert_eq!(found, outcome, "{message}");
            assert!(message.contains(words), "{message}");
        }
    }
}
