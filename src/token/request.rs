//! Requests to the token thread.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::algorithm::{KeyAlgorithm, Scheme};
use super::error::TokenError;
use super::named_key::NamedKey;
use super::public_key::PublicKey;
use crate::problem::Problem;

/// A request to the token thread.
#[derive(Debug)]
pub(super) enum Request {
    /// Asks for something that needs the open token.
    Use(UseRequest),
    /// Asks for a heartbeat.
    Beat,
    /// Asks to reopen a closed token now, or to check the keys of an open one.
    Retry,
    /// Asks to close the token and end.
    Stop,
}

/// A use of the open token.
#[derive(Debug)]
pub(super) enum Operation {
    /// Signs a message.
    Sign {
        /// The public key that belongs to the private key. Only this key signs, whatever its name selects by now.
        key: PublicKey,
        /// The name by which the key is looked for in a token that was reopened.
        name: Arc<NamedKey>,
        scheme: Scheme,
        message: Vec<u8>,
    },
    /// Finds a key.
    Find(Arc<NamedKey>),
    /// Generates a key of the device, unless it is there.
    Generate(Arc<NamedKey>, KeyAlgorithm),
}

/// The result of an operation.
#[derive(Debug)]
pub(super) enum Reply {
    /// The signature.
    Signature(Vec<u8>),
    /// The key that was found.
    Found(PublicKey),
    /// The problem of a key that is not there.
    Missing(Problem),
}

/// A use of the open token, and the channel for its result.
#[derive(Debug)]
pub(super) struct UseRequest {
    pub(super) operation: Operation,
    pub(super) sender: SyncSender<Result<Reply, TokenError>>,
}

impl UseRequest {
    /// Sends the outcome to the caller.
    pub(super) fn reply(self, outcome: Result<Reply, TokenError>) {
        // It is not an error if the caller has given up.
        let _ = self.sender.try_send(outcome);
    }

    /// Tells the caller that there is no open token.
    pub(super) fn refuse(self, why: &Problem) {
        self.reply(Err(TokenError::Absent(why.clone())));
    }
}
