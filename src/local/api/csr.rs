//! GET /v1/csr: the certificate signing request in PEM. Every local user may read it, because it is not secret.

use crate::local::context::ApiContext;
use crate::local::http::{self, ApiError, Response};
use crate::problem::Problem;

/// Returns the request, once the token has shown the key.
pub fn get(context: &ApiContext) -> Result<Response, ApiError> {
    // Cloned first, because a borrowed watch blocks the task that writes it.
    let request = context.signing_request.borrow().clone();
    match request {
        Some(pem) => Ok(http::ok("application/x-pem-file", pem.as_bytes().to_vec().into())),
        None => Err(match obstacle(context) {
            Some(problem) => ApiError::not_ready(&problem),
            None => ApiError::coming(&Problem::wait("the signing request is being made")),
        }),
    }
}

/// Returns the problem that keeps the request from being created. Only the token matters: no clock, certificate or network.
fn obstacle(context: &ApiContext) -> Option<Problem> {
    let token = context.board.token.borrow().problem.clone();
    token.or_else(|| context.board.identity.borrow().problem.clone())
}
