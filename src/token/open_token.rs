//! An open token: it is logged in, and its private keys are proven to belong to their public keys.

use std::path::PathBuf;
use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use super::algorithm::{KeyAlgorithm, Scheme};
use super::config::TokenConfig;
use super::error::TokenError;
use super::keys::{self, Search};
use super::login::Logins;
use super::lookup::look_up;
use super::module::{finalize, load};
use super::named_key::{FoundKey, NamedKey};
use super::opening::{Opened, Opening};
use super::pin::PinSource;
use super::proven_key::{ProvenKey, Prover, authenticate};
use super::public_key::PublicKey;
use super::{generate, signing, tpm};
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
    /// The device's keys, at least one.
    device_keys: Vec<ProvenKey>,
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
                keys,
                warning,
            }) => Ok(Self {
                session,
                context,
                slot,
                module: config.module.clone(),
                device_keys: keys,
                other_keys: Vec::new(),
                warning,
            }),
            Err(error) => {
                finalize(context);
                Err(error)
            }
        }
    }

    /// Returns the device's keys with their names.
    pub(super) fn device_keys(&self) -> Vec<FoundKey> {
        let keys = self.device_keys.iter().map(|key| FoundKey {
            name: key.name.clone(),
            public: key.public.clone(),
        });
        keys.collect()
    }

    /// Returns a warning about a key that works nonetheless.
    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Checks that the device's keys are still found, without a login or a signature. One of two may be deleted. Another key that is
    /// not found any more is looked for when it is needed.
    ///
    /// # Errors
    /// If no key of the device is found, or one is another object than before, which means that the token has lost its state.
    pub(super) fn check_keys(&mut self) -> Result<(), TokenError> {
        let mut missing = None;
        let mut there = Vec::new();
        for key in &self.device_keys {
            match keys::find(&self.session, &key.name)? {
                Search::Found(found) if found.handle == key.private => there.push(key.private),
                Search::Found(_) => {
                    return Err(TokenError::Device(
                        Problem::wait("the key in the token is another object than before").next(REOPENS),
                    ));
                }
                Search::Missing { others } => missing = missing.or(Some(keys::missing(&key.name, &others))),
            }
        }
        if let Some(problem) = missing.filter(|_| there.is_empty()) {
            return Err(TokenError::Absent(problem));
        }
        self.device_keys.retain(|key| there.contains(&key.private));
        let session = &self.session;
        self.other_keys.retain(|key| {
            let found = keys::find(session, &key.name);
            matches!(found, Ok(Search::Found(found)) if found.handle == key.private)
        });
        Ok(())
    }

    /// Finds a key, and proves which public key belongs to it. It must be in the token that is open.
    ///
    /// # Errors
    /// If the key cannot be used. A key that is not there is no error of the token.
    pub(super) fn find(
        &mut self,
        name: &Arc<NamedKey>,
        pin: &PinSource,
        logins: &mut Logins,
    ) -> Result<Result<PublicKey, Problem>, TokenError> {
        let private = match look_up(&self.context, &self.session, self.slot, name)? {
            Ok(private) => private,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut known = self.device_keys.iter().chain(&self.other_keys);
        if let Some(known) = known.find(|key| key.private == private.handle) {
            return Ok(Ok(known.public.clone()));
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
        match name.is_device_key() {
            true => self.device_keys.push(proven),
            false => self.other_keys.push(proven),
        }
        Ok(Ok(public))
    }

    /// Generates a key of the device. A key of this name that is there already is returned instead.
    ///
    /// # Errors
    /// If the token does not allow it.
    pub(super) fn generate(
        &mut self,
        name: &Arc<NamedKey>,
        algorithm: KeyAlgorithm,
        pin: &PinSource,
        logins: &mut Logins,
    ) -> Result<PublicKey, TokenError> {
        if let Ok(known) = self.find(name, pin, logins)? {
            return Ok(known);
        }
        let is_writable = |session: &Session| session.get_session_info().map_or(true, |info| info.read_write());
        let writable = match is_writable(&self.session) {
            true => None,
            false => {
                let opened = self.context.open_rw_session(self.slot);
                Some(opened.map_err(|_| generate::write_protected(&name.uri))?)
            }
        };
        generate::generate(writable.as_ref().unwrap_or(&self.session), &name.uri, algorithm)?;
        drop(writable);
        self.find(name, pin, logins)?.map_err(TokenError::Device)
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
            let found = self.find(name, pin, logins)?;
            found.map_err(TokenError::configuration)?;
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
        let mut all = self.device_keys.iter().chain(&self.other_keys);
        all.find(|proven| proven.public.is_same_key(key))
    }

    /// Closes the session and finalizes the module, because a TPM counts an unclean end against its dictionary lockout.
    pub(super) fn close(self) {
        drop(self.session);
        finalize(self.context);
    }
}

fn replaced(name: &NamedKey) -> Problem {
    Problem::configuration(format!(
        "the token no longer has the key that belongs to the certificate; {} selects another one",
        name.setting
    ))
    .next(match name.is_device_key() {
        true => "have the signing request device.csr signed for the new key (`gatepost csr` prints it)".to_owned(),
        false => format!("put the certificate for the new key to {}", name.certificate_setting),
    })
}
