//! An open token: it is logged in, and its private keys are proven to belong to their public keys.

use std::path::PathBuf;
use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::algorithm::Scheme;
use super::config::TokenConfig;
use super::error::TokenError;
use super::keys::{self, Search};
use super::login::Logins;
use super::module::{finalize, load};
use super::named_key::NamedKey;
use super::opening::{Opened, Opening};
use super::pin::PinSource;
use super::proven_key::{ProvenKey, Prover, authenticate};
use super::public_key::PublicKey;
use super::uri::KeyUri;
use super::{signing, slots, tpm};
use crate::heartbeat::Heartbeat;
use crate::problem::Problem;

const REOPENS: &str = "gatepost reopens the token by itself";

/// An open token. It has one session, which stays open, because the login belongs to the process and ends with the last session.
pub(super) struct OpenToken {
    // Declared before the context, because a dropped session closes itself and needs the initialised module for that.
    session: Session,
    context: Pkcs11,
    slot: Slot,
    module: PathBuf,
    device_key: ProvenKey,
    /// Keys that were asked for since the token was opened.
    other_keys: Vec<ProvenKey>,
    /// A warning about a key that works nonetheless.
    warning: Option<String>,
}

impl OpenToken {
    /// Loads the module and opens the token. If the token has no device key, one is generated where the configuration allows it.
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
            name: Arc::new(config.device_key()),
            pin,
            logins,
        }
        .open(heartbeat);
        match opened {
            Ok(Opened {
                session,
                slot,
                key,
                warning,
            }) => Ok(Self {
                session,
                context,
                slot,
                module: config.module.clone(),
                device_key: key,
                other_keys: Vec::new(),
                warning,
            }),
            Err(error) => {
                finalize(context);
                Err(error)
            }
        }
    }

    /// Returns the device's key.
    pub(super) fn device_key(&self) -> &ProvenKey {
        &self.device_key
    }

    /// Returns a warning about a key that works nonetheless.
    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Checks that the device's key is still found, without a login or a signature. Another key that is not found any more is
    /// looked for when it is needed.
    ///
    /// # Errors
    /// If the key is not found, or is another object than before, which means that the token has lost its state.
    pub(super) fn check_keys(&mut self) -> Result<(), TokenError> {
        let key = &self.device_key;
        match keys::find(&self.session, &key.name)? {
            Search::Found(found) if found.handle == key.private => {}
            Search::Found(_) => {
                return Err(TokenError::Device(
                    Problem::wait("the key in the token is another object than before").next(REOPENS),
                ));
            }
            Search::Missing { others } => return Err(TokenError::Absent(keys::missing(&key.name, &others))),
        }
        let session = &self.session;
        self.other_keys.retain(|key| {
            let found = keys::find(session, &key.name);
            matches!(found, Ok(Search::Found(found)) if found.handle == key.private)
        });
        Ok(())
    }

    /// Finds a key that the configuration names beside the device's, and proves which public key belongs to it. It must be in the
    /// same token.
    ///
    /// # Errors
    /// If there is no such key, or it cannot be used.
    pub(super) fn find(
        &mut self,
        name: &Arc<NamedKey>,
        pin: &PinSource,
        logins: &mut Logins,
    ) -> Result<PublicKey, TokenError> {
        self.check_place(name)?;
        let private = match keys::find(&self.session, name)? {
            Search::Found(private) => private,
            Search::Missing { others } => {
                let problem = match keys::has_public_key_only(&self.session, &name.uri)? {
                    true => keys::only_public(name),
                    false => keys::missing(name, &others),
                };
                return Err(TokenError::configuration(problem));
            }
        };
        if let Some(known) = self.other_keys.iter().find(|key| key.private == private.handle) {
            return Ok(known.public.clone());
        }
        let mut prover = Prover {
            context: &self.context,
            session: &self.session,
            slot: self.slot,
            module: &self.module,
            pin,
            logins,
        };
        let proven = prover.prove(&private, name)?;
        let public = proven.public.clone();
        self.other_keys.push(proven);
        Ok(public)
    }

    /// Checks that a URI does not name another token than the one that is open.
    fn check_place(&self, name: &NamedKey) -> Result<(), TokenError> {
        let info = self
            .context
            .get_token_info(self.slot)
            .map_err(|error| TokenError::from_module("looking at the token", &error))?;
        match slots::matches(&self.context, self.slot, &info, &name.uri) {
            true => Ok(()),
            false => Err(TokenError::configuration(in_another_token(
                name,
                &self.device_key.name.uri,
            ))),
        }
    }

    /// Signs with the private key of `key`, and verifies the signature, because a wrong one would look like a fault of the server
    /// or of the certificate.
    pub(super) fn sign(
        &mut self,
        key: &PublicKey,
        name: &Arc<NamedKey>,
        (scheme, message): (Scheme, &[u8]),
        pin: &PinSource,
        logins: &mut Logins,
    ) -> Result<Vec<u8>, TokenError> {
        if self.proven(key).is_none() && !name.is_device_key() {
            self.find(name, pin, logins)?;
        }
        let Some(proven) = self.proven(key) else {
            return Err(TokenError::configuration(replaced(name)));
        };
        let authenticate = || authenticate(&self.context, self.slot, &self.session, pin, logins);
        let signature = signing::sign(
            &self.session,
            proven.private,
            proven.mode,
            scheme,
            message,
            authenticate,
        )?;
        match signing::verify(&proven.public, scheme, message, &signature) {
            true => Ok(signature),
            false => Err(TokenError::Device(
                Problem::wait("signing failed: the module's signature does not verify with the public key")
                    .next(REOPENS),
            )),
        }
    }

    /// Returns the proven key with this public key, whatever its name is.
    fn proven(&self, key: &PublicKey) -> Option<&ProvenKey> {
        let all = std::iter::once(&self.device_key).chain(&self.other_keys);
        all.into_iter().find(|proven| proven.public.is_same_key(key))
    }

    /// Closes the session and finalizes the module, because a TPM counts an unclean end against its dictionary lockout.
    pub(super) fn close(self) {
        drop(self.session);
        finalize(self.context);
    }
}

fn in_another_token(name: &NamedKey, device_key: &KeyUri) -> Problem {
    let NamedKey { setting, uri, .. } = name;
    Problem::configuration(format!(
        "{setting}: {uri} does not match the token that token.key ({device_key}) selects, and gatepost opens one token"
    ))
    .next(format!(
        "have the key made in the same token, and name it in {setting} with the token attributes of token.key"
    ))
}

fn replaced(name: &NamedKey) -> Problem {
    Problem::configuration(format!(
        "the token has no longer the key that belongs to the certificate; {} selects another one",
        name.setting
    ))
    .next(match name.is_device_key() {
        true => "have the signing request device.csr signed for the new key (`gatepost csr` prints it)".to_owned(),
        false => format!("put the certificate for the new key to {}", name.certificate_setting),
    })
}
