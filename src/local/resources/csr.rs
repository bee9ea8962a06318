//! GET /v1/csr: the certificate signing request in PEM. Open to every local user: it is made to be handed around.

use super::super::answer::{self, Answer, ApiError};
use super::super::view::ApiContext;
use crate::problem::Problem;

/// What keeps the request from being made. It needs the token alone: no clock, no certificate and no network.
fn why_not(shared: &ApiContext) -> Option<Problem> {
    let token = shared.board.token.borrow().problem.clone();
    token.or_else(|| shared.board.identity.borrow().problem.clone())
}

/// The request, once the token has shown the key.
pub fn get(shared: &ApiContext) -> Result<Answer, ApiError> {
    // Out of the watch first: the task that writes it must not wait for a second look.
    let request = shared.signing_request.borrow().clone();
    match request {
        Some(pem) => Ok(answer::ok("application/x-pem-file", pem.as_bytes().to_vec().into())),
        None => Err(match why_not(shared) {
            Some(why) => ApiError::not_ready(&why),
            None => ApiError::coming(&Problem::wait("the signing request is being made")),
        }),
    }
}
