//! An open token: it is logged in, and its private key is proven to belong to the public key.

use cryptoki::context::Pkcs11;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::algorithm::Scheme;
use super::config::TokenConfig;
use super::error::TokenError;
use super::keys::{self, Search};
use super::login::Logins;
use super::module::{finalize, load};
use super::opening::{Opening, ProvenKey, authenticate};
use super::pin::PinSource;
use super::public_key::PublicKey;
use super::signing;
use super::tpm;
use super::uri::KeyUri;
use crate::heartbeat::Heartbeat;
use crate::problem::Problem;

const REOPENS: &str = "gatepost reopens the token by itself";

/// An open token. It has one session, which stays open, because the login belongs to the process and ends with the last session.
pub(super) struct OpenToken {
    // Declared before the context, because a dropped session closes itself and needs the initialised module for that.
    session: Session,
    context: Pkcs11,
    slot: Slot,
    key: ProvenKey,
}

impl OpenToken {
    /// Loads the module and opens the token. If the token has no key, one is generated where the configuration allows it.
    pub(super) fn open(
        config: &TokenConfig,
        pin: &PinSource,
        logins: &mut Logins,
        heartbeat: &Heartbeat,
    ) -> Result<Self, TokenError> {
        tpm::check_device(&config.module)?;
        let context = load(&config.module)?;
        let opened = Opening {
            context: &context,
            config,
            pin,
            logins,
        }
        .open(heartbeat);
        match opened {
            Ok((session, slot, key)) => Ok(Self {
                session,
                context,
                slot,
                key,
            }),
            Err(error) => {
                finalize(context);
                Err(error)
            }
        }
    }

    /// Returns the public key.
    pub(super) fn public_key(&self) -> &PublicKey {
        &self.key.public
    }

    /// Returns a warning about a key that works nonetheless.
    pub(super) fn warning(&self) -> Option<&str> {
        self.key.warning.as_deref()
    }

    /// Checks that the key is still found, without a login or a signature.
    ///
    /// # Errors
    /// If the key is not found, or is another object than before, which means that the token has lost its state.
    pub(super) fn find_key(&self, uri: &KeyUri) -> Result<(), TokenError> {
        match keys::find(&self.session, uri)? {
            Search::Found(found) if found.handle == self.key.private => Ok(()),
            Search::Found(_) => Err(TokenError::Device(
                Problem::wait("the key in the token is another object than before").next(REOPENS),
            )),
            Search::Missing { others } => Err(TokenError::Absent(keys::missing(uri, &others))),
        }
    }

    /// Signs, and verifies the signature, because a wrong one would look like a fault of AWS or of the certificate.
    pub(super) fn sign(
        &self,
        scheme: Scheme,
        message: &[u8],
        pin: &PinSource,
        logins: &mut Logins,
    ) -> Result<Vec<u8>, TokenError> {
        let key = &self.key;
        let authenticate = || authenticate(&self.context, self.slot, &self.session, pin, logins);
        let signature = signing::sign(&self.session, key.private, key.mode, scheme, message, authenticate)?;
        match signing::verify(&key.public, scheme, message, &signature) {
            true => Ok(signature),
            false => Err(TokenError::Device(
                Problem::wait("signing failed: the module's signature does not verify with the public key")
                    .next(REOPENS),
            )),
        }
    }

    /// Closes the session and finalizes the module, because a TPM counts an unclean end against its dictionary lockout.
    pub(super) fn close(self) {
        drop(self.session);
        finalize(self.context);
    }
}
