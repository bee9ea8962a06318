//! Opens a token: finds it, logs in, finds or generates the key, and proves which public key belongs to it.

use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use log::Level;

use super::algorithm::Generate;
use super::config::TokenConfig;
use super::error::TokenError;
use super::examination::{Examined, Step};
use super::keys::{self, Object, Search};
use super::login::Logins;
use super::module::{finalize, load};
use super::named_key::NamedKey;
use super::names::show;
use super::patience::GENERATION_PATIENCE;
use super::pin::PinSource;
use super::proven_key::{ProvenKey, Prover};
use super::slots::{find_token, open_session};
use super::uri::KeyUri;
use super::{generate, tpm};
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::problem::Problem;

/// Opens the token once, generates no key, and closes it again. A wrong PIN counts against the token.
///
/// # Errors
/// With the step that failed; those before it have succeeded.
pub fn examine(config: &TokenConfig, pin: &PinSource) -> Result<Examined, (Step, TokenError)> {
    tpm::check_device(&config.module).map_err(|error| (Step::Token, error))?;
    let context = load(&config.module).map_err(|error| (Step::Module, error))?;
    let examined = Opening {
        context: &context,
        config,
        name: Arc::new(config.device_key()),
        pin,
        logins: &mut Logins::default(),
    }
    .examine();
    finalize(context);
    examined
}

/// An open session, and the device's key in it.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) slot: Slot,
    pub(super) key: ProvenKey,
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
        let (private, warning) = match (keys::find(&session, &name)?, self.config.generate) {
            (Search::Found(private), _) => (private, None),
            (Search::Missing { others }, Generate::Never) => {
                return Err(TokenError::Absent(keys::missing(&name, &others)));
            }
            (Search::Missing { others }, Generate::Key(algorithm)) => {
                let warning = keys::warn_of_others(uri, &others);
                if let Some(warning) = &warning {
                    journal!(Level::Warn, Event::KeyBesideOthers; "token: {warning}");
                }
                session = self.make_writable(session, slot)?;
                heartbeat.excused(GENERATION_PATIENCE, || generate::generate(&session, uri, algorithm))?;
                match keys::find(&session, &name)? {
                    Search::Found(private) => (private, warning),
                    Search::Missing { .. } => return Err(vanished(uri)),
                }
            }
        };
        let key = self.prove(&session, slot, &private)?;
        Ok(Opened {
            session,
            slot,
            key,
            warning,
        })
    }

    fn examine(mut self) -> Result<Examined, (Step, TokenError)> {
        let at = |step| move |error| (step, error);
        let (slot, info) = find_token(self.context, self.config).map_err(at(Step::Token))?;
        let session = open_session(self.context, slot, &info).map_err(at(Step::Token))?;
        self.log_in(&session, &info)
            .map_err(after_one_try)
            .map_err(at(Step::Pin))?;
        let (key, others) = match keys::find(&session, &self.name).map_err(at(Step::Key))? {
            Search::Found(private) => {
                let proven = self.prove(&session, slot, &private).map_err(at(Step::Key))?;
                (Some(proven.public.algorithm), Vec::new())
            }
            Search::Missing { others } => (None, others),
        };
        Ok(Examined {
            label: show(info.label()),
            login: info.login_required(),
            protected_path: info.protected_authentication_path(),
            key,
            missing: key.is_none().then(|| keys::missing(&self.name, &others)),
            others: keys::list_names(&others),
        })
    }

    fn log_in(&mut self, session: &Session, info: &TokenInfo) -> Result<(), TokenError> {
        match info.login_required() {
            true => self.logins.log_in(session, info, self.pin),
            false => Ok(()),
        }
    }

    /// Returns a read-write session, in which a key can be generated. The login belongs to the process, so it applies to a new
    /// session.
    fn make_writable(&self, session: Session, slot: Slot) -> Result<Session, TokenError> {
        let read_write = session.get_session_info().map_or(true, |info| info.read_write());
        if read_write {
            return Ok(session);
        }
        self.context
            .open_rw_session(slot)
            .map_err(|_| generate::write_protected(&self.config.key))
    }

    fn prove(&mut self, session: &Session, slot: Slot, private: &Object) -> Result<ProvenKey, TokenError> {
        let prover = Prover {
            context: self.context,
            session,
            slot,
            module: &self.config.module,
            pin: self.pin,
            logins: self.logins,
        };
        { prover }.prove(private, &self.name)
    }
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
