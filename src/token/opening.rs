//! Opens a token: finds it, logs in, finds or generates the key, and proves which public key belongs to it.

use cryptoki::context::Pkcs11;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use log::Level;

use super::algorithm::{Generate, Scheme};
use super::candidates::find_candidates;
use super::config::TokenConfig;
use super::error::TokenError;
use super::examination::{Examined, Step};
use super::keys::{self, Object, Search};
use super::login::Logins;
use super::module::{finalize, load};
use super::names::show;
use super::patience::GENERATION_PATIENCE;
use super::pin::PinSource;
use super::proof::{Claim, prove};
use super::public_key::PublicKey;
use super::signing::{self, Mode, SignError};
use super::slots::{find_token, open_session};
use super::uri::KeyUri;
use super::{generate, tpm};
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::problem::{Exit, Problem};

/// A private key, and the public key that was proven to belong to it.
pub(super) struct ProvenKey {
    pub(super) private: ObjectHandle,
    pub(super) public: PublicKey,
    pub(super) mode: Mode,
    /// A warning about a key that works nonetheless.
    pub(super) warning: Option<String>,
}

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
        pin,
        logins: &mut Logins::default(),
    }
    .examine();
    finalize(context);
    examined
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

/// The steps from an initialised module to the key.
pub(super) struct Opening<'a> {
    pub(super) context: &'a Pkcs11,
    pub(super) config: &'a TokenConfig,
    pub(super) pin: &'a PinSource,
    pub(super) logins: &'a mut Logins,
}

impl Opening<'_> {
    pub(super) fn open(mut self, heartbeat: &Heartbeat) -> Result<(Session, Slot, ProvenKey), TokenError> {
        let (slot, info) = find_token(self.context, self.config)?;
        let mut session = open_session(self.context, slot, &info)?;
        self.log_in(&session, &info)?;
        let uri = &self.config.key;
        let (private, warning) = match (keys::find(&session, uri)?, self.config.generate) {
            (Search::Found(private), _) => (private, None),
            (Search::Missing { others }, Generate::Never) => {
                return Err(TokenError::Absent(keys::missing(uri, &others)));
            }
            (Search::Missing { others }, Generate::Key(algorithm)) => {
                let warning = keys::warn_of_others(uri, &others);
                if let Some(warning) = &warning {
                    journal!(Level::Warn, Event::KeyBesideOthers; "token: {warning}");
                }
                session = self.make_writable(session, slot)?;
                heartbeat.excused(GENERATION_PATIENCE, || generate::generate(&session, uri, algorithm))?;
                match keys::find(&session, uri)? {
                    Search::Found(private) => (private, warning),
                    Search::Missing { .. } => return Err(vanished(uri)),
                }
            }
        };
        let (public, mode) = self.prove(&session, slot, &private)?;
        let private = private.handle;
        Ok((
            session,
            slot,
            ProvenKey {
                private,
                public,
                mode,
                warning,
            },
        ))
    }

    fn examine(mut self) -> Result<Examined, (Step, TokenError)> {
        let at = |step| move |error| (step, error);
        let (slot, info) = find_token(self.context, self.config).map_err(at(Step::Token))?;
        let session = open_session(self.context, slot, &info).map_err(at(Step::Token))?;
        self.log_in(&session, &info)
            .map_err(after_one_try)
            .map_err(at(Step::Pin))?;
        let (key, others) = match keys::find(&session, &self.config.key).map_err(at(Step::Key))? {
            Search::Found(private) => {
                let (public, _) = self.prove(&session, slot, &private).map_err(at(Step::Key))?;
                (Some(public.algorithm), Vec::new())
            }
            Search::Missing { others } => (None, others),
        };
        Ok(Examined {
            label: show(info.label()),
            login: info.login_required(),
            protected_path: info.protected_authentication_path(),
            key,
            missing: key.is_none().then(|| keys::missing(&self.config.key, &others)),
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

    /// Proves which public key belongs to `private`, and finds out in which mode it signs.
    fn prove(&mut self, session: &Session, slot: Slot, private: &Object) -> Result<(PublicKey, Mode), TokenError> {
        let module = self.config.module.display().to_string();
        let name = private.name();
        let claim = Claim {
            module: &module,
            private: &name,
        };
        let mut mode = None;
        let public = prove(
            &claim,
            find_candidates(session, private, &self.config.certificate),
            |scheme, message| {
                let (found, signature) =
                    self.sign_in_first_mode(&claim, session, slot, private, mode, scheme, message)?;
                mode = Some(found);
                Ok(signature)
            },
        )?;
        Ok((public, mode.unwrap_or(Mode::Plain)))
    }

    /// Signs in the given mode, or else in the first mode in which the token signs.
    #[allow(clippy::too_many_arguments, reason = "it has a single caller, the closure above")]
    fn sign_in_first_mode(
        &mut self,
        claim: &Claim,
        session: &Session,
        slot: Slot,
        private: &Object,
        known: Option<Mode>,
        scheme: Scheme,
        message: &[u8],
    ) -> Result<(Mode, Vec<u8>), TokenError> {
        let mut attempt = |mode| {
            let authenticate = || authenticate(self.context, slot, session, self.pin, self.logins);
            signing::sign(session, private.handle, mode, scheme, message, authenticate)
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

fn cannot_authenticate(claim: &Claim) -> TokenError {
    TokenError::configuration(
        Problem::configuration(format!(
            "the private key {} requires the PIN for each signature (CKA_ALWAYS_AUTHENTICATE), and after such a login {} \
             accepts no data in parts, which gatepost needs",
            claim.private, claim.module
        ))
        .next("name a key without that attribute in token.key, or let gatepost generate one"),
    )
}

fn vanished(uri: &KeyUri) -> TokenError {
    TokenError::Device(Problem::wait(format!(
        "the token has generated a key for {uri}, but does not find it"
    )))
}
