//! Proves which public key belongs to a private key, and in which mode the private key signs.

use std::path::Path;
use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::algorithm::Scheme;
use super::candidates::find_candidates;
use super::error::TokenError;
use super::keys::Object;
use super::login::Logins;
use super::named_key::NamedKey;
use super::pin::PinSource;
use super::proof::{Claim, prove};
use super::public_key::PublicKey;
use super::signing::{self, Mode, SignError};
use crate::problem::{Exit, Problem};

/// A private key, and the public key that was proven to belong to it.
pub(super) struct ProvenKey {
    pub(super) name: Arc<NamedKey>,
    pub(super) private: ObjectHandle,
    pub(super) public: PublicKey,
    pub(super) mode: Mode,
}

/// Logs in for one signature. The flags are read again, because the token may have counted wrong PINs since it was opened.
pub(super) fn authenticate(
    context: &Pkcs11,
    slot: Slot,
    session: &Session,
    pin: &PinSource,
    logins: &mut Logins,
) -> Result<(), TokenError> {
    let info = context
        .get_token_info(slot)
        .map_err(|error| TokenError::from_module("looking at the token", &error))?;
    logins.authenticate(session, &info, pin)
}

/// An open session, in which keys are proven.
pub(super) struct Prover<'a> {
    pub(super) context: &'a Pkcs11,
    pub(super) session: &'a Session,
    pub(super) slot: Slot,
    pub(super) module: &'a Path,
    pub(super) pin: &'a PinSource,
    pub(super) logins: &'a mut Logins,
}

impl Prover<'_> {
    /// Proves which public key belongs to `private`, and finds out in which mode it signs.
    pub(super) fn prove(&mut self, private: &Object, name: &Arc<NamedKey>) -> Result<ProvenKey, TokenError> {
        let module = self.module.display().to_string();
        let private_name = private.name();
        let claim = Claim {
            module: &module,
            private: &private_name,
            name,
        };
        let mut mode = None;
        let candidates = find_candidates(self.session, private, &name.certificate);
        let public = prove(&claim, candidates, |scheme, message| {
            let (found, signature) = self.sign_in_first_mode(&claim, private, mode, scheme, message)?;
            mode = Some(found);
            Ok(signature)
        })?;
        Ok(ProvenKey {
            name: name.clone(),
            private: private.handle,
            public,
            mode: mode.unwrap_or(Mode::Plain),
        })
    }

    /// Signs in the given mode, or else in the first mode in which the token signs.
    fn sign_in_first_mode(
        &mut self,
        claim: &Claim,
        private: &Object,
        known: Option<Mode>,
        scheme: Scheme,
        message: &[u8],
    ) -> Result<(Mode, Vec<u8>), TokenError> {
        let mut attempt = |mode| {
            let authenticate = || authenticate(self.context, self.slot, self.session, self.pin, self.logins);
            signing::sign(self.session, private.handle, mode, scheme, message, authenticate)
                .map(|signature| (mode, signature))
        };
        if let Some(mode) = known {
            return Ok(attempt(mode)?);
        }
        if !private.always_authenticate {
            match attempt(Mode::Plain) {
                Err(SignError::NotLoggedIn(_)) => {}
                outcome => return Ok(outcome?),
            }
        }
        for mode in [Mode::AuthenticatedHashing, Mode::AuthenticatedRaw] {
            match attempt(mode).map_err(TokenError::from) {
                Err(TokenError::Final(Exit::Configuration, problem)) => log::debug!("token: {mode:?}: {problem}"),
                outcome => return outcome,
            }
        }
        Err(cannot_authenticate(claim))
    }
}

fn cannot_authenticate(claim: &Claim) -> TokenError {
    TokenError::configuration(
        Problem::configuration(format!(
            "the private key {} requires the PIN for each signature (CKA_ALWAYS_AUTHENTICATE), and after such a login {} \
             accepts no data in parts, which gatepost needs",
            claim.private, claim.module
        ))
        .next(match claim.name.is_device_key() {
            true => "name a key without that attribute in token.key, or let gatepost generate one".to_owned(),
            false => format!("name a key without that attribute in {}", claim.name.setting),
        }),
    )
}
