//! Lists, creates and tests tokens for gatepost-tpm-setup. gatepostd does that itself, so that a gateway does not need smart
//! card tools, whose daemon runs as root.

use std::fmt;
use std::path::Path;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use ring::rand::{SecureRandom, SystemRandom};

use super::error::{TokenError, describe_failure};
use super::login::{PinBlock, may_try};
use super::module::{finalize, load};
use super::names::trim_padding;
use super::pin_content::extract_pin;
use crate::problem::Problem;
use crate::secret::SecretString;

/// The outcome of one login with a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The PIN opens the token, and each key in it has signed.
    Good,
    /// The token rejected the PIN.
    WrongPin,
    /// The token's PIN is locked.
    Locked,
    /// One more wrong PIN would lock the token, so the PIN was not tried.
    LastTry,
    /// The login failed with this message, and a wrong PIN may be the cause.
    Unexplained(String),
    /// The creation of the token was interrupted before it had a PIN, so it cannot have a key.
    NoPin,
    /// The token has no PIN, but has objects.
    NoPinButObjects,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "the PIN opens the token",
            Self::WrongPin => "the token rejected the PIN",
            Self::Locked => "the token's PIN is locked",
            Self::LastTry => "the token says that one more wrong PIN locks it, so that none was tried",
            Self::Unexplained(said) => return write!(f, "{said}; the PIN may be wrong, so it is not tried again"),
            Self::NoPin => "the token has no PIN",
            Self::NoPinButObjects => "the token has no PIN, but objects",
        })
    }
}

/// Lists the labels of the module's tokens, without those that cannot be printed.
///
/// # Errors
/// With the error of the module.
pub fn list_labels(module: &Path) -> Result<Vec<String>, TokenError> {
    with_module(module, |context| {
        let mut labels: Vec<String> = list_tokens(context)?.into_iter().map(|token| token.label).collect();
        labels.retain(|label| !label.contains(char::is_control));
        Ok(labels)
    })
}

/// Extracts the PIN from standard input, by the rules for a PIN file.
///
/// # Errors
/// With the kind of mistake, but never with the content.
pub fn parse_pin(content: &[u8]) -> Result<SecretString, String> {
    extract_pin(content)
        .map(SecretString::from)
        .map_err(|fault| fault.to_string())
}

/// Creates a token with a label and a PIN. The security officer's PIN is random and not stored, because a token whose PIN is
/// lost is abandoned anyway.
///
/// # Errors
/// With the error of the module. The token cannot be used then.
pub fn create(module: &Path, label: &str, pin: &SecretString) -> Result<(), TokenError> {
    with_module(module, |context| {
        if list_tokens(context)?.iter().any(|token| token.label == label) {
            return Err(TokenError::configuration(
                Problem::configuration(format!("there is already a token {label}"))
                    .next("take another label for a new one"),
            ));
        }
        let officer = random_pin()?;
        let slot = find_empty_slot(context)?;
        context
            .init_token(slot, &officer, label)
            .map_err(|error| TokenError::from_module("making the token", &error))?;
        let (session, _) = open_session(context, label)?;
        session
            .login(UserType::So, Some(&officer))
            .and_then(|()| session.init_pin(pin))
            .and_then(|()| session.logout())
            .map_err(|error| TokenError::from_module("giving the token its PIN", &error))
    })?;
    // The module is loaded again, to test what it has written.
    match prove(module, label, pin)? {
        Proof::Good => Ok(()),
        other => Err(TokenError::Device(Problem::wait(format!(
            "the token that was made does not open with its PIN: {other}"
        )))),
    }
}

/// Logs in once, and signs with each private key. The token's last try is never used.
///
/// # Errors
/// With the error of the module, if it does not concern the PIN.
pub fn prove(module: &Path, label: &str, pin: &SecretString) -> Result<Proof, TokenError> {
    with_module(module, |context| {
        let (session, info) = open_session(context, label)?;
        match may_try(&info) {
            Err(PinBlock::Locked) => return Ok(Proof::Locked),
            Err(PinBlock::FinalTry) => return Ok(Proof::LastTry),
            Ok(()) => {}
        }
        // With a protected path the PIN is typed into the reader, and C_Login must be called without one.
        let pin = (!info.protected_authentication_path()).then_some(pin);
        match session.login(UserType::User, pin) {
            Ok(()) => sign_with_each_key(&session).map(|()| Proof::Good),
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
                Ok(Proof::WrongPin)
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Ok(Proof::Locked),
            Err(Error::Pkcs11(RvError::UserPinNotInitialized, _)) => examine_without_pin(&session),
            // Some modules report a wrong PIN as another error, and the token would count each further try.
            Err(error) => Ok(Proof::Unexplained(describe_failure("login", &error))),
        }
    })
}

fn with_module<T>(module: &Path, work: impl FnOnce(&Pkcs11) -> Result<T, TokenError>) -> Result<T, TokenError> {
    let context = load(module)?;
    let result = work(&context);
    finalize(context);
    result
}

/// An initialised token.
struct InitialisedToken {
    slot: Slot,
    info: TokenInfo,
    label: String,
}

/// Lists the initialised tokens. A slot that returns an error, such as a reader without its card, must not hide the others.
fn list_tokens(context: &Pkcs11) -> Result<Vec<InitialisedToken>, TokenError> {
    let slots = context
        .get_slots_with_token()
        .map_err(|error| TokenError::from_module("listing the tokens", &error))?;
    let found = slots.into_iter().filter_map(|slot| {
        let info = context.get_token_info(slot).ok()?;
        let label = trim_padding(info.label()).to_owned();
        info.token_initialized()
            .then_some(InitialisedToken { slot, info, label })
    });
    Ok(found.collect())
}

/// Finds a slot for a new token; tpm2-pkcs11 always has one.
fn find_empty_slot(context: &Pkcs11) -> Result<Slot, TokenError> {
    let slots = context
        .get_slots_with_token()
        .map_err(|error| TokenError::from_module("listing the slots", &error))?;
    let empty = |slot: &Slot| {
        context
            .get_token_info(*slot)
            .is_ok_and(|info| !info.token_initialized())
    };
    slots.into_iter().find(empty).ok_or_else(|| {
        TokenError::Absent(
            Problem::wait("the module has no slot for another token").next("is its store full, or damaged?"),
        )
    })
}

/// Opens a session to the token with this label.
fn open_session(context: &Pkcs11, label: &str) -> Result<(Session, TokenInfo), TokenError> {
    let mut found = list_tokens(context)?;
    found.retain(|token| token.label == label);
    let token = match (found.pop(), found.len()) {
        (Some(token), 0) => token,
        (None, _) => return Err(TokenError::Absent(Problem::wait(format!("there is no token {label}")))),
        (Some(_), others) => {
            return Err(TokenError::configuration(
                Problem::configuration(format!("{} tokens have the label {label}", others + 1))
                    .next("give each a label of its own"),
            ));
        }
    };
    let session = context
        .open_rw_session(token.slot)
        .map_err(|error| TokenError::from_module("opening a session", &error))?;
    Ok((session, token.info))
}

/// Examines a token without a PIN.
fn examine_without_pin(session: &Session) -> Result<Proof, TokenError> {
    match session.find_objects(&[]) {
        Ok(objects) if objects.is_empty() => Ok(Proof::NoPin),
        Ok(_) => Ok(Proof::NoPinButObjects),
        Err(error) => Err(TokenError::from_module("looking for objects", &error)),
    }
}

/// The digest to sign. Nobody trusts a signature of it.
const DIGEST: [u8; 32] = [0; 32];

fn sign_with_each_key(session: &Session) -> Result<(), TokenError> {
    let failed = |error: &Error| TokenError::from_module("signing", error);
    let keys = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
    ];
    for key in session.find_objects(&keys).map_err(|error| failed(&error))? {
        session
            .sign(&Mechanism::Ecdsa, key, &DIGEST)
            .map_err(|error| failed(&error))?;
    }
    Ok(())
}

fn random_pin() -> Result<SecretString, TokenError> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| TokenError::Device(Problem::wait("the kernel provides no random numbers")))?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits.into())
}
