//! The way from a module's path to an open, logged-in session with its key.

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};

use super::TokenConfig;
use super::error::TokenError;
use super::keys::{FoundKey, find, find_or_generate};
use super::pin::PinSource;
use super::public_key::PublicKey;
use super::signing::{self, pss_works};
use super::tpm;
use super::uri::KeyUri;
use super::{Examined, KeyAlgorithm, Scheme, Step};
use crate::problem::{Problem, with_causes};
use crate::pulse::Pulse;

/// An open token. One context per module, one session, held open: login is per process and ends with the last session.
pub(super) struct OpenToken {
    // Declared before the context: a session closes itself when dropped, and must do so while the module is initialised.
    session: Session,
    context: Pkcs11,
    key: FoundKey,
}

impl OpenToken {
    /// Opens everything from the module to the key, generating the key if the token has none and that is allowed.
    pub(super) fn open(config: &TokenConfig, pin: &PinSource, pulse: &Pulse) -> Result<Self, TokenError> {
        tpm::check_device(&config.module)?;
        let context = load(&config.module)?;
        match Self::log_in(&context, config, pin, pulse) {
            Ok((session, key)) => Ok(Self { session, context, key }),
            Err(error) => {
                finalize(context);
                Err(error)
            }
        }
    }

    fn log_in(
        context: &Pkcs11,
        config: &TokenConfig,
        pin: &PinSource,
        pulse: &Pulse,
    ) -> Result<(Session, FoundKey), TokenError> {
        let (session, info) = session(context, config)?;
        if info.login_required() {
            log_in_once(&session, &info, pin)?;
        }
        let mut key = find_or_generate(&session, &config.key, config.generate, pulse)?;
        if let KeyAlgorithm::Rsa(_) = key.public.algorithm {
            key.public.pss = pss_works(&session, key.private, &key.public)?;
        }
        Ok((session, key))
    }

    pub(super) fn public_key(&self) -> &PublicKey {
        &self.key.public
    }

    pub(super) fn sign(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        signing::sign(&self.session, self.key.private, scheme, message)
    }

    /// Closes the session and ends the module: a TPM counts an unclean end against its dictionary lockout.
    pub(super) fn close(self) {
        drop(self.session);
        finalize(self.context);
    }
}

/// Goes the way of [`OpenToken::open`] step by step, makes nothing, and closes all of it again.
pub(super) fn examine(config: &TokenConfig, pin: &PinSource) -> Result<Examined, (Step, TokenError)> {
    let at = |step| move |error| (step, error);
    tpm::check_device(&config.module).map_err(at(Step::Token))?;
    let context = load(&config.module).map_err(at(Step::Module))?;
    let examined = (|| {
        let (session, info) = session(&context, config).map_err(at(Step::Token))?;
        let login = info.login_required();
        if login {
            log_in_once(&session, &info, pin).map_err(at(Step::Pin))?;
        }
        let key = find(&session, &config.key).map_err(at(Step::Key))?;
        Ok(Examined {
            label: trimmed(info.label()).to_owned(),
            login,
            key: key.map(|key| key.public.algorithm),
        })
    })();
    finalize(context);
    examined
}

fn session(context: &Pkcs11, config: &TokenConfig) -> Result<(Session, TokenInfo), TokenError> {
    let (slot, info) = find_token(context, config)?;
    let session = context
        .open_rw_session(slot)
        .map_err(|error| TokenError::from_module("opening a session", &error))?;
    Ok((session, info))
}

pub(super) fn load(path: &Path) -> Result<Pkcs11, TokenError> {
    let context = load_uninitialised(path)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => {
            let what = format!("initialising {}", path.display());
            let problem = TokenError::from_module(&what, &error).problem().clone();
            if let Some(lost) = lost_files(&problem.message).or_else(|| tpm::missing_setup(path)) {
                return Err(TokenError::Device(lost));
            }
            // Most modules answer GeneralError when they cannot read what they need.
            Err(TokenError::Device(problem.next(
                "gatepost tries again by itself; check that its user may read the module's own files (SoftHSM: \
                 SOFTHSM2_CONF, tpm2-pkcs11: TPM2_PKCS11_STORE)",
            )))
        }
    }
}

/// Modules answer GeneralError when their own files are gone, with which the keys are gone as well: that is worth saying.
fn lost_files(message: &str) -> Option<Problem> {
    let (variable, path) = ["TPM2_PKCS11_STORE", "SOFTHSM2_CONF"]
        .into_iter()
        .filter_map(|variable| Some((variable, PathBuf::from(std::env::var_os(variable)?))))
        .find(|(_, path)| matches!(path.try_exists(), Ok(false)))?;
    let message = format!("{message}, and {variable} names {}, which is not there", path.display());
    Some(Problem::factory(message).next(match variable {
        "TPM2_PKCS11_STORE" => {
            "put the folder back; if it is lost, the key is lost with it: gatepost-tpm-setup makes a new one, which \
             needs a new certificate"
        }
        _ => "put the file back, or correct the variable in the unit",
    }))
}

/// Loads the library and finds its functions; no token is touched.
pub(super) fn load_uninitialised(path: &Path) -> Result<Pkcs11, TokenError> {
    let name = path.display();
    let unusable = |why: String| {
        TokenError::configuration(
            Problem::configuration(format!("the PKCS#11 module {name} cannot be loaded: {why}"))
                .next("install the module's package, or correct token.module"),
        )
    };
    Pkcs11::new(path).map_err(|error| match &error {
        Error::LibraryLoading(cause) => unusable(with_causes(cause)),
        Error::MissingSymbol(symbol) => unusable(format!("it is no PKCS#11 module (it has no {symbol})")),
        other => unusable(with_causes(other)),
    })
}

pub(super) fn finalize(context: Pkcs11) {
    if let Err(error) = context.finalize() {
        log::debug!("token: C_Finalize: {error}");
    }
}

/// The one token that the URI means, found by label and the like, never by slot order.
fn find_token(context: &Pkcs11, config: &TokenConfig) -> Result<(Slot, TokenInfo), TokenError> {
    let slots = context
        .get_slots_with_initialized_token()
        .map_err(|error| TokenError::from_module("listing the tokens", &error))?;
    let tokens: Vec<_> = slots
        .into_iter()
        .filter_map(|slot| context.get_token_info(slot).ok().map(|info| (slot, info)))
        .collect();
    let seen: Vec<String> = tokens
        .iter()
        .map(|(_, info)| format!("\"{}\"", trimmed(info.label())))
        .collect();
    let mut matching: Vec<_> = tokens
        .into_iter()
        .filter(|(slot, info)| matches(context, *slot, info, &config.key))
        .collect();
    match matching.len() {
        1 => matching.pop().ok_or_else(|| absent(config, &seen)),
        0 => Err(absent(config, &seen)),
        count => {
            let named: Vec<String> = matching
                .iter()
                .map(|(slot, info)| {
                    format!(
                        "\"{}\" serial {} slot-id {}",
                        trimmed(info.label()),
                        trimmed(info.serial_number()),
                        slot.id()
                    )
                })
                .collect();
            Err(TokenError::configuration(
                Problem::configuration(format!("{count} tokens match {}: {}", config.key, named.join(" and ")))
                    .next("name one of them in token.key by its serial"),
            ))
        }
    }
}

fn absent(config: &TokenConfig, seen: &[String]) -> TokenError {
    if let Some(problem) = tpm::missing_setup(&config.module).filter(|_| seen.is_empty()) {
        return TokenError::Absent(problem);
    }
    let module = config.module.display();
    let message = match seen {
        [] => format!("no initialised token is visible in {module}"),
        _ => format!(
            "none of the tokens in {module} ({}) matches {}",
            seen.join(", "),
            config.key
        ),
    };
    TokenError::Absent(Problem::wait(message).next(
        "gatepost looks again every few seconds; check that the token is there and that gatepost's user may read it",
    ))
}

fn matches(context: &Pkcs11, slot: Slot, token: &TokenInfo, uri: &KeyUri) -> bool {
    let is = |attribute: &str, actual: &str| uri.text(attribute).is_none_or(|wanted| wanted == trimmed(actual));
    is("token", token.label())
        && is("manufacturer", token.manufacturer_id())
        && is("serial", token.serial_number())
        && is("model", token.model())
        && uri.slot_id().is_none_or(|wanted| wanted == slot.id())
        && context.get_slot_info(slot).is_ok_and(|info| {
            is("slot-manufacturer", info.manufacturer_id()) && is("slot-description", info.slot_description())
        })
        && context.get_library_info().is_ok_and(|info| {
            is("library-manufacturer", info.manufacturer_id())
                && is("library-description", info.library_description())
                && is("library-version", &info.library_version().to_string())
        })
}

/// tpm2-pkcs11 pads with NULs where the standard wants blanks.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_end_matches(['\0', ' '])
}

/// One attempt, never a second: a wrong PIN counts against the token.
fn log_in_once(session: &Session, info: &TokenInfo, pin: &PinSource) -> Result<(), TokenError> {
    if info.user_pin_locked() {
        let locked = Error::Pkcs11(RvError::PinLocked, cryptoki::context::Function::Login);
        return Err(TokenError::from_module("login", &locked));
    }
    let pin = pin.read()?;
    match session.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => Err(TokenError::from_module("login", &error)),
    }
}
