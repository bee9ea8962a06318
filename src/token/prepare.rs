//! Lists, makes and proves tokens for gatepost-tpm-setup. gatepostd does it by itself, so that a gateway needs
//! no smart card tools, whose daemon runs as root.

use std::fmt;
use std::path::Path;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use ring::rand::{SecureRandom, SystemRandom};

use super::error::{TokenError, what_the_module_said};
use super::login::{PinBlock, may_try};
use super::module::{finalize, load};
use super::names::trimmed;
use super::pin_content::pin_in;
use crate::problem::Problem;
use crate::secret::SecretString;

/// The outcome of one login with a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The PIN opens the token, and a key in it, if there is one, has signed.
    Good,
    /// It is another PIN than the token's.
    WrongPin,
    /// The token takes no PIN at present.
    Locked,
    /// The token says that one more wrong PIN locks it, so that none was tried.
    LastTry,
    /// The login failed with these words, and the PIN may be the cause.
    Unexplained(String),
    /// The token's making was interrupted before it had a PIN, so that no key can be in it.
    NoPin,
    /// Likewise, but there are objects in it.
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

/// Lists the labels of the module's tokens that can be printed, a line each.
///
/// # Errors
/// With what the module answers.
pub fn labels(module: &Path) -> Result<Vec<String>, TokenError> {
    with_module(module, |context| {
        let mut labels: Vec<String> = tokens(context)?.into_iter().map(|token| token.label).collect();
        labels.retain(|label| !label.contains(char::is_control));
        Ok(labels)
    })
}

/// Finds the PIN in what standard input holds, by the rules of a PIN file.
///
/// # Errors
/// With the mistake in it, which is never repeated.
pub fn pin_from(content: &[u8]) -> Result<SecretString, String> {
    pin_in(content)
        .map(SecretString::from)
        .map_err(|fault| fault.to_string())
}

/// Makes a token of this label with this PIN. Its security officer's PIN is drawn at random and forgotten: nobody needs it
/// later, because a token without its PIN is given up.
///
/// # Errors
/// With what the module answers; the token is of no use then.
pub fn make(module: &Path, label: &str, pin: &SecretString) -> Result<(), TokenError> {
    with_module(module, |context| {
        if tokens(context)?.iter().any(|token| token.label == label) {
            return Err(TokenError::configuration(
                Problem::configuration(format!("there is a token {label} already"))
                    .next("take another label for a new one"),
            ));
        }
        let officer = random_pin()?;
        let slot = empty_slot(context)?;
        context
            .init_token(slot, &officer, label)
            .map_err(|error| TokenError::from_module("making the token", &error))?;
        let (session, _) = session(context, label)?;
        session
            .login(UserType::So, Some(&officer))
            .and_then(|()| session.init_pin(pin))
            .and_then(|()| session.logout())
            .map_err(|error| TokenError::from_module("giving the token its PIN", &error))
    })?;
    // The module is loaded a second time: what counts is what the module has written.
    match prove(module, label, pin)? {
        Proof::Good => Ok(()),
        other => Err(TokenError::Device(Problem::wait(format!(
            "the token that was made does not open with its PIN: {other}"
        )))),
    }
}

/// Logs in once, and signs with each private key. A PIN that would be the token's last try is not tried.
///
/// # Errors
/// With what the module answers where that says nothing about the PIN.
pub fn prove(module: &Path, label: &str, pin: &SecretString) -> Result<Proof, TokenError> {
    with_module(module, |context| {
        let (session, info) = session(context, label)?;
        match may_try(&info) {
            Err(PinBlock::Locked) => return Ok(Proof::Locked),
            Err(PinBlock::FinalTry) => return Ok(Proof::LastTry),
            Ok(()) => {}
        }
        // With a protected path the PIN is typed into the reader, and C_Login must come without one.
        let pin = (!info.protected_authentication_path()).then_some(pin);
        match session.login(UserType::User, pin) {
            Ok(()) => sign_with_each_key(&session).map(|()| Proof::Good),
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
                Ok(Proof::WrongPin)
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Ok(Proof::Locked),
            Err(Error::Pkcs11(RvError::UserPinNotInitialized, _)) => without_pin(&session),
            // Not every module calls a wrong PIN one, and each further try would count against the token.
            Err(error) => Ok(Proof::Unexplained(what_the_module_said("login", &error))),
        }
    })
}

fn with_module<T>(module: &Path, work: impl FnOnce(&Pkcs11) -> Result<T, TokenError>) -> Result<T, TokenError> {
    let context = load(module)?;
    let done = work(&context);
    finalize(context);
    done
}

/// An initialised token.
struct Found {
    slot: Slot,
    info: TokenInfo,
    label: String,
}

/// The initialised tokens. A slot that answers with an error must not hide the others: a reader without its card does that.
fn tokens(context: &Pkcs11) -> Result<Vec<Found>, TokenError> {
    let slots = context
        .get_slots_with_token()
        .map_err(|error| TokenError::from_module("listing the tokens", &error))?;
    let found = slots.into_iter().filter_map(|slot| {
        let info = context.get_token_info(slot).ok()?;
        let label = trimmed(info.label()).to_owned();
        info.token_initialized().then_some(Found { slot, info, label })
    });
    Ok(found.collect())
}

/// A slot whose token is not made yet; tpm2-pkcs11 always has one.
fn empty_slot(context: &Pkcs11) -> Result<Slot, TokenError> {
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

fn session(context: &Pkcs11, label: &str) -> Result<(Session, TokenInfo), TokenError> {
    let mut found = tokens(context)?;
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

fn without_pin(session: &Session) -> Result<Proof, TokenError> {
    match session.find_objects(&[]) {
        Ok(objects) if objects.is_empty() => Ok(Proof::NoPin),
        Ok(_) => Ok(Proof::NoPinButObjects),
        Err(error) => Err(TokenError::from_module("looking for objects", &error)),
    }
}

/// A digest like any other; nobody trusts a signature of it.
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
        .map_err(|_| TokenError::Device(Problem::wait("the kernel gives no random numbers")))?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits.into())
}
