//! GET /v1/csr: the certificate signing request in PEM. Open to every local user: it is made to be handed around.

use super::super::answer::{self, Answer, Refusal};
use super::super::view::Shared;
use crate::problem::Problem;

/// The request, once the token has shown the key.
pub fn get(shared: &Shared) -> Result<Answer, Refusal> {
    match &shared.board.identity.borrow().details.csr {
        Some(pem) => Ok(answer::ok("application/x-pem-file", pem.as_bytes().to_vec().into())),
        None => {
            let why = shared.board.obstacle();
            let why = why.unwrap_or_else(|| Problem::wait("the signing request is being made"));
            Err(Refusal::not_ready(&why))
        }
    }
}
