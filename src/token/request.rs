//! Requests to the token thread.

use std::sync::mpsc::SyncSender;

use super::algorithm::Scheme;
use super::error::TokenError;
use crate::problem::Problem;

/// A request to the token thread.
#[derive(Debug)]
pub(super) enum Request {
    /// Asks for a signature.
    Sign(SignRequest),
    /// Asks for a heartbeat.
    Beat,
    /// Asks to reopen a closed token now, or to check the key of an open one.
    Retry,
    /// Asks to close the token and end.
    Stop,
}

/// A message to sign, and the channel for the signature.
#[derive(Debug)]
pub(super) struct SignRequest {
    pub(super) scheme: Scheme,
    pub(super) message: Vec<u8>,
    pub(super) sender: SyncSender<Result<Vec<u8>, TokenError>>,
}

impl SignRequest {
    /// Sends the outcome to the caller.
    pub(super) fn reply(self, outcome: Result<Vec<u8>, TokenError>) {
        // It is not an error if the caller has given up.
        let _ = self.sender.try_send(outcome);
    }

    /// Tells the caller that there is no open token.
    pub(super) fn refuse(self, why: &Problem) {
        self.reply(Err(TokenError::Absent(why.clone())));
    }
}
