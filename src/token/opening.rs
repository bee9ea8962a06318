//! Opens a token: finds it, logs in, finds or generates the key, and proves which public key belongs to it.

use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use log::Level;

use super::algorithm::Generate;
use super::candidates::certifies;
use super::config::TokenConfig;
use super::error::TokenError;
use super::examination::{Examined, Step};
use super::keys::{self, Object, Search};
use super::login::Logins;
use super::lookup::look_up;
use super::module::{finalize, load};
use super::named_key::NamedKey;
use super::names::show;
use super::pin::PinSource;
use super::proven_key::{ProvenKey, Prover};
use super::public_key::PublicKey;
use super::slots::{find_token, open_session};
use super::time_limits::GENERATION_TIMEOUT;
use super::uri::KeyUri;
use super::{generate, tpm};
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::problem::{Exit, Problem};

/// Opens the token once, generates no key, and closes it again. A wrong PIN counts against the token. `other` is a key beside the
/// device's that is looked for, too.
///
/// # Errors
/// With the step that failed; those before it have succeeded.
pub fn examine(config: &TokenConfig, other: Option<NamedKey>, pin: &PinSource) -> Result<Examined, (Step, TokenError)> {
    tpm::check_device(&config.module).map_err(|error| (Step::Token, error))?;
    let context = load(&config.module).map_err(|error| (Step::Module, error))?;
    let examined = Opening {
        context: &context,
        config,
        name: Arc::new(config.device_key()),
        pin,
        logins: &mut Logins::default(),
    }
    .examine(other);
    finalize(context);
    examined
}

/// The private keys of the device that were found, with their names.
type FoundObjects = Vec<(Arc<NamedKey>, Object)>;

/// An open session, and the device's keys in it.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) slot: Slot,
    /// The device's keys, at least one.
    pub(super) keys: Vec<ProvenKey>,
    /// A warning about a key that works nonetheless.
    pub(super) warning: Option<String>,
}

/// The steps from an initialised module to the key.
pub(super) struct Opening<'a> {
    pub(super) context: &'a Pkcs11,
    pub(super) config: &'a TokenConfig,
    /// The device's key in the configuration.
    pub(super) name: Arc<NamedKey>,
    pub(super) pin: &'a PinSource,
    pub(super) logins: &'a mut Logins,
}

impl Opening<'_> {
    pub(super) fn open(mut self, heartbeat: &Heartbeat) -> Result<Opened, TokenError> {
        let (slot, info) = find_token(self.context, self.config)?;
        let mut session = open_session(self.context, slot, &info)?;
        self.log_in(&session, &info)?;
        let (name, uri) = (self.name.clone(), &self.config.key);
        let (found, others) = self.find_device_keys(&session)?;
        let keys = self.prove_all(&session, slot, &found)?;
        if keys.iter().any(|key| self.is_of_device(key)) {
            return Ok(Opened {
                session,
                slot,
                keys,
                warning: None,
            });
        }
        let Generate::Key(algorithm) = self.config.generate else {
            return Err(TokenError::Absent(keys::missing(&name, &others)));
        };
        let warning = keys::warn_of_others(uri, &others);
        if let Some(warning) = &warning {
            journal!(Level::Warn, Event::KeyBesideOthers; "token: {warning}");
        }
        session = make_writable(self.context, session, slot, uri)?;
        heartbeat.excused(GENERATION_TIMEOUT, || generate::generate(&session, uri, algorithm))?;
        let private = match keys::find(&session, &name)? {
            Search::Found(private) => private,
            Search::Missing { .. } => return Err(vanished(uri)),
        };
        let keys = vec![self.prove(&session, slot, &private, &name)?];
        Ok(Opened {
            session,
            slot,
            keys,
            warning,
        })
    }

    /// Finds the device's key and its second key, or the names of the other keys in the token.
    fn find_device_keys(&self, session: &Session) -> Result<(FoundObjects, Vec<String>), TokenError> {
        let mut found = Vec::new();
        let others = match keys::find(session, &self.name)? {
            Search::Found(private) => {
                found.push((self.name.clone(), private));
                Vec::new()
            }
            Search::Missing { others } => others,
        };
        if let Some(second) = self.config.second_key() {
            // Several keys of the second label belong to somebody else.
            if let Ok(Search::Found(private)) = keys::find(session, &second) {
                found.push((Arc::new(second), private));
            }
        }
        Ok((found, others))
    }

    /// Returns whether a key is the device's for certain. A second key that has no certificate may be somebody else's.
    fn is_of_device(&self, key: &ProvenKey) -> bool {
        key.name.uri == self.name.uri || certifies(&self.config.certificate, &key.public)
    }

    /// Proves the keys that were found. The second one is left out if it cannot be used, and then the first must be usable.
    fn prove_all(&mut self, session: &Session, slot: Slot, found: &FoundObjects) -> Result<Vec<ProvenKey>, TokenError> {
        let mut proven = Vec::new();
        let mut failure = None;
        for (name, private) in found {
            match self.prove(session, slot, private, name) {
                Ok(key) => proven.push(key),
                Err(error @ (TokenError::Device(_) | TokenError::Final(Exit::Pin, _))) => return Err(error),
                Err(error) if name.uri == self.name.uri => failure = Some(error),
                Err(error) => log::debug!("token: {} is not used: {}", name.uri, error.problem()),
            }
        }
        match failure {
            Some(error) if !proven.iter().any(|key| self.is_of_device(key)) => Err(error),
            _ => Ok(proven),
        }
    }

    fn examine(mut self, other: Option<NamedKey>) -> Result<Examined, (Step, TokenError)> {
        let at = |step| move |error| (step, error);
        let (slot, info) = find_token(self.context, self.config).map_err(at(Step::Token))?;
        let session = open_session(self.context, slot, &info).map_err(at(Step::Token))?;
        self.log_in(&session, &info)
            .map_err(after_one_try)
            .map_err(at(Step::Pin))?;
        let (found, others) = self.find_device_keys(&session).map_err(at(Step::Key))?;
        let key = match found.is_empty() {
            true => None,
            false => {
                let proven = self.prove_all(&session, slot, &found).map_err(at(Step::Key))?;
                let mut proven = proven.iter().filter(|key| self.is_of_device(key));
                proven.next().map(|key| key.public.algorithm)
            }
        };
        Ok(Examined {
            label: show(info.label()),
            login: info.login_required(),
            protected_path: info.protected_authentication_path(),
            key,
            other: other.map(|name| self.prove_other(&session, slot, &Arc::new(name))),
            missing: key.is_none().then(|| keys::missing(&self.name, &others)),
            others: keys::list_names(&others),
        })
    }

    /// Proves which public key belongs to a key beside the device's.
    fn prove_other(&mut self, session: &Session, slot: Slot, name: &Arc<NamedKey>) -> Result<PublicKey, TokenError> {
        let private = look_up(self.context, session, slot, name)?.map_err(TokenError::configuration)?;
        Ok(self.prove(session, slot, &private, name)?.public)
    }

    fn log_in(&mut self, session: &Session, info: &TokenInfo) -> Result<(), TokenError> {
        match info.login_required() {
            true => self.logins.log_in(session, info, self.pin),
            false => Ok(()),
        }
    }

    fn prove(
        &mut self,
        session: &Session,
        slot: Slot,
        private: &Object,
        name: &Arc<NamedKey>,
    ) -> Result<ProvenKey, TokenError> {
        let prover = Prover {
            context: self.context,
            session,
            slot,
            module: &self.config.module,
            pin: self.pin,
            logins: self.logins,
        };
        { prover }.prove(private, name)
    }
}

/// Returns a read-write session, in which a key can be generated. The login belongs to the process, so it applies to a new session.
pub(super) fn make_writable(
    context: &Pkcs11,
    session: Session,
    slot: Slot,
    uri: &KeyUri,
) -> Result<Session, TokenError> {
    let read_write = session.get_session_info().map_or(true, |info| info.read_write());
    if read_write {
        return Ok(session);
    }
    context
        .open_rw_session(slot)
        .map_err(|_| generate::write_protected(uri))
}

/// Changes the next step of a failed login. An examination tries the PIN only once, unlike the daemon.
fn after_one_try(error: TokenError) -> TokenError {
    match error {
        TokenError::Absent(problem) => TokenError::Absent(problem.next(
            "the PIN was tried once, and is not tried again here: check it in token.pin-file or the systemd credential \"pin\", \
             then the token and its driver",
        )),
        error => error,
    }
}

fn vanished(uri: &KeyUri) -> TokenError {
    TokenError::Device(Problem::wait(format!(
        "the token has generated a key for {uri}, but does not find it"
    )))
}
