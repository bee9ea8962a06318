//! Responses with a note for the event, and the faults that replace or damage them.

use hyper::header::{HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::answer::{self, AnswerBody};
use crate::state::State;
use crate::switches::AnswerFault;

/// Size of the body that the fault for large bodies sends.
const HUGE_BODY: usize = 5 * 1024 * 1024;

/// The response, and the note for the event.
pub(crate) struct Answer {
    pub(crate) response: Response<AnswerBody>,
    pub(crate) client: Option<String>,
    pub(crate) note: String,
}

impl Answer {
    pub(crate) fn refused(status: StatusCode, why: &str) -> Self {
        Self {
            response: answer::text(status, why),
            client: None,
            note: why.to_owned(),
        }
    }

    pub(crate) fn by(mut self, client: Option<&str>) -> Self {
        self.client = client.map(str::to_owned);
        self
    }
}

/// The reaction in place of a response.
pub(crate) struct NoAnswer {
    pub(crate) note: String,
    pub(crate) client: Option<String>,
    /// Whether the connection stays open.
    pub(crate) hang: bool,
}

impl NoAnswer {
    pub(crate) fn closed(note: &str, client: Option<String>) -> Self {
        Self {
            note: note.to_owned(),
            client,
            hang: false,
        }
    }
}

/// Applies the next fault to the response.
pub(crate) async fn with_faults(
    state: &State,
    is_enrolment: bool,
    answer: impl FnOnce() -> Answer,
) -> Result<Answer, NoAnswer> {
    let Some(fault) = state.switches.next_fault(is_enrolment) else {
        return Ok(answer());
    };
    let note = format!("{fault:?}");
    let mut made = match fault {
        AnswerFault::Wait(after) => {
            let mut response = answer::text(StatusCode::ACCEPTED, "the request waits for approval");
            if let Some(after) = after.and_then(|after| HeaderValue::from_str(&after).ok()) {
                response.headers_mut().insert(RETRY_AFTER, after);
            }
            Answer::from(response)
        }
        AnswerFault::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Answer::from(answer::text(status, "refused on purpose"))
        }
        AnswerFault::Redirect(to) => {
            let mut response = answer::text(StatusCode::FOUND, "elsewhere");
            if let Ok(to) = HeaderValue::from_str(&to) {
                response.headers_mut().insert(LOCATION, to);
            }
            Answer::from(response)
        }
        AnswerFault::HugeBody => Answer::from(Response::new(AnswerBody::full(vec![b'A'; HUGE_BODY]))),
        AnswerFault::Closed => return Err(NoAnswer::closed(&note, None)),
        AnswerFault::Hang => {
            return Err(NoAnswer {
                hang: true,
                ..NoAnswer::closed(&note, None)
            });
        }
        AnswerFault::LostAfterIssue => {
            let lost = answer();
            return Err(NoAnswer::closed(&note, lost.client));
        }
        AnswerFault::CutBody => answer().map(AnswerBody::cut),
        AnswerFault::SlowBody(pause) => answer().map(|body| body.slow(pause)),
    };
    made.note = note;
    Ok(made)
}

impl Answer {
    fn map(mut self, change: impl FnOnce(AnswerBody) -> AnswerBody) -> Self {
        self.response = self.response.map(change);
        self
    }
}

impl From<Response<AnswerBody>> for Answer {
    fn from(response: Response<AnswerBody>) -> Self {
        Self {
            response,
            client: None,
            note: String::new(),
        }
    }
}
