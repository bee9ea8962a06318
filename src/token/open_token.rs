//! An open token: logged in, with a private key that is proven to sign for its public half.

use cryptoki::context::Pkcs11;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use log::Level;

use super::algorithm::{Generate, Scheme};
use super::candidates::candidates;
use super::error::TokenError;
use super::keys::{self, Object, Search};
use super::login::Logins;
use super::module::{finalize, load};
use super::names::shown;
use super::pin::PinSource;
use super::proof::{Claim, prove};
use super::public_key::PublicKey;
use super::signing::{self, Mode, SignFailure};
use super::slots::{find_token, open_session};
use super::{Examined, GENERATION_PATIENCE, KeyUri, Step, TokenConfig, generate, tpm};
use crate::event::{Event, journal};
use crate::heartbeat::Heartbeat;
use crate::problem::{Exit, Problem};

const REOPENS: &str = "gatepost opens the token anew by itself";

/// An open token. One context per module, one session, held open: login is per process and ends with the last session.
pub(super) struct OpenToken {
    // Declared before the context: a session closes itself when dropped, and must do so while the module is initialised.
    session: Session,
    context: Pkcs11,
    slot: Slot,
    key: ProvenKey,
}

/// A private key and its public half.
struct ProvenKey {
    private: ObjectHandle,
    public: PublicKey,
    mode: Mode,
    /// A warning about a key that works all the same.
    warning: Option<String>,
}

impl OpenToken {
    /// Opens everything from the module to the key, generating the key if the token has none and that is allowed.
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

    /// The key's public half.
    pub(super) fn public_key(&self) -> &PublicKey {
        &self.key.public
    }

    /// A warning about a key that works all the same.
    pub(super) fn warning(&self) -> Option<&str> {
        self.key.warning.as_deref()
    }

    /// Checks that the key is still found, without a login or a signature.
    ///
    /// # Errors
    /// When it is not, or when it is another object by now: the token has lost its state.
    pub(super) fn find_key(&self, uri: &KeyUri) -> Result<(), TokenError> {
        match keys::find(&self.session, uri)? {
            Search::Found(found) if found.handle == self.key.private => Ok(()),
            Search::Found(_) => Err(TokenError::Device(
                Problem::wait("the key in the token is another object than before").next(REOPENS),
            )),
            Search::Missing { others } => Err(TokenError::Absent(keys::missing(uri, &others))),
        }
    }

    /// Signs, and verifies the signature: one that is wrong would be taken for the fault of AWS or the certificate.
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

    /// Closes the session and ends the module: a TPM counts an unclean end against its dictionary lockout.
    pub(super) fn close(self) {
        drop(self.session);
        finalize(self.context);
    }
}

/// Goes the way of [`OpenToken::open`] step by step, makes nothing, and closes all of it again.
pub(super) fn examine(config: &TokenConfig, pin: &PinSource) -> Result<Examined, (Step, TokenError)> {
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

/// The login for one signature. The flags are read anew: the token may have counted wrong PINs since it was opened.
fn authenticate(
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

/// The way from an initialised module to the key.
struct Opening<'a> {
    context: &'a Pkcs11,
    config: &'a TokenConfig,
    pin: &'a PinSource,
    logins: &'a mut Logins,
}

impl Opening<'_> {
    fn open(mut self, heartbeat: &Heartbeat) -> Result<(Session, Slot, ProvenKey), TokenError> {
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
                let warning = keys::made_beside(uri, &others);
                if let Some(warning) = &warning {
                    journal!(Level::Warn, Event::KeyBesideOthers; "token: {warning}");
                }
                session = self.writable(session, slot)?;
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
            .map_err(tried_once)
            .map_err(at(Step::Pin))?;
        let (key, others) = match keys::find(&session, &self.config.key).map_err(at(Step::Key))? {
            Search::Found(private) => {
                let (public, _) = self.prove(&session, slot, &private).map_err(at(Step::Key))?;
                (Some(public.algorithm), Vec::new())
            }
            Search::Missing { others } => (None, others),
        };
        Ok(Examined {
            label: shown(info.label()),
            login: info.login_required(),
            protected_path: info.protected_authentication_path(),
            key,
            missing: key.is_none().then(|| keys::missing(&self.config.key, &others)),
            others: keys::in_words(&others),
        })
    }

    fn log_in(&mut self, session: &Session, info: &TokenInfo) -> Result<(), TokenError> {
        match info.login_required() {
            true => self.logins.log_in(session, info, self.pin),
            false => Ok(()),
        }
    }

    /// A session in which a key can be made. The login belongs to the process, so the new session has it as well.
    fn writable(&self, session: Session, slot: Slot) -> Result<Session, TokenError> {
        let read_write = session.get_session_info().map_or(true, |info| info.read_write());
        if read_write {
            return Ok(session);
        }
        self.context
            .open_rw_session(slot)
            .map_err(|_| generate::write_protected(&self.config.key))
    }

    /// Proves that `private` signs for a public key, and finds out how it wants to be asked.
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
            candidates(session, private, &self.config.certificate),
            |scheme, message| {
                let (found, signature) = self.first_signature(&claim, session, slot, private, mode, scheme, message)?;
                mode = Some(found);
                Ok(signature)
            },
        )?;
        Ok((public, mode.unwrap_or(Mode::Plain)))
    }

    /// A signature in the given mode, else in the first one in which the token signs.
    #[allow(clippy::too_many_arguments, reason = "one call, from the closure above")]
    fn first_signature(
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
                Err(SignFailure::NotLoggedIn(_)) => {}
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

/// An examination tries the PIN once, whatever the module answers; the daemon would try it once more.
fn tried_once(error: TokenError) -> TokenError {
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
            "the private key {} wants the PIN again for each signature (CKA_ALWAYS_AUTHENTICATE), and after such a login {} \
             takes no data in parts, which gatepost needs for it",
            claim.private, claim.module
        ))
        .next("name a key without that attribute in token.key, or let gatepost generate one"),
    )
}

fn vanished(uri: &KeyUri) -> TokenError {
    TokenError::Device(Problem::wait(format!(
        "the token has made a key for {uri}, and does not find it"
    )))
}
