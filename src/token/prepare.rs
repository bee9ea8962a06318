//! What gatepost-tpm-setup does with a token: lists, makes and proves one. gatepostd does it by itself, so that a gateway needs
//! no smart card tools, whose daemon runs as root.

use std::path::Path;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use ring::rand::{SecureRandom, SystemRandom};

use super::error::TokenError;
use super::module::{finalize, load};
use super::names::trimmed;
use crate::problem::Problem;
use crate::secret::SecretString;

/// The outcome of one login with a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The PIN opens the token, and a key in it, if there is one, has signed.
    Good,
    /// It is another PIN than the token's.
    WrongPin,
    /// The token takes no PIN at present.
    Locked,
    /// The token's making was interrupted before it had a PIN, so that no key can be in it.
    NoPin,
    /// Likewise, but there are objects in it.
    NoPinButObjects,
}

/// The labels of the module's tokens.
///
/// # Errors
/// With what the module answers.
pub fn labels(module: &Path) -> Result<Vec<String>, TokenError> {
    with_module(module, |context| {
        let tokens = tokens(context)?.into_iter();
        Ok(tokens.map(|(_, label)| label).collect())
    })
}

/// Makes a token of this label with this PIN. Its security officer's PIN is drawn at random and forgotten: nobody needs it
/// later, because a token without its PIN is given up.
///
/// # Errors
/// With what the module answers; the token is of no use then.
pub fn make(module: &Path, label: &str, pin: &SecretString) -> Result<(), TokenError> {
    with_module(module, |context| {
        let officer = random_pin()?;
        let slot = empty_slot(context)?;
        context
            .init_token(slot, &officer, label)
            .map_err(|error| TokenError::from_module("making the token", &error))?;
        let session = session(context, label)?;
        session
            .login(UserType::So, Some(&officer))
            .and_then(|()| session.init_pin(pin))
            .and_then(|()| session.logout())
            .map_err(|error| TokenError::from_module("giving the token its PIN", &error))
    })?;
    // Opened anew: what counts is what the module has written.
    match prove(module, label, pin)? {
        Proof::Good => Ok(()),
        other => Err(TokenError::Device(Problem::wait(format!(
            "the token that was made does not open with its PIN ({other:?})"
        )))),
    }
}

/// Logs in once, and signs with each private key.
///
/// # Errors
/// With what the module answers where that says nothing about the PIN.
pub fn prove(module: &Path, label: &str, pin: &SecretString) -> Result<Proof, TokenError> {
    with_module(module, |context| {
        let session = session(context, label)?;
        match session.login(UserType::User, Some(pin)) {
            Ok(()) => sign_with_each_key(&session).map(|()| Proof::Good),
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
                Ok(Proof::WrongPin)
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Ok(Proof::Locked),
            Err(Error::Pkcs11(RvError::UserPinNotInitialized, _)) => without_pin(&session),
            Err(error) => Err(TokenError::from_module("login", &error)),
        }
    })
}

fn with_module<T>(module: &Path, work: impl FnOnce(&Pkcs11) -> Result<T, TokenError>) -> Result<T, TokenError> {
    let context = load(module)?;
    let done = work(&context);
    finalize(context);
    done
}

fn tokens(context: &Pkcs11) -> Result<Vec<(Slot, String)>, TokenError> {
    let slots = context
        .get_slots_with_initialized_token()
        .map_err(|error| TokenError::from_module("listing the tokens", &error))?;
    let label = |slot| {
        context
            .get_token_info(slot)
            .map(|info| trimmed(info.label()).to_owned())
    };
    slots
        .into_iter()
        .map(|slot| {
            Ok((
                slot,
                label(slot).map_err(|error| TokenError::from_module("reading a label", &error))?,
            ))
        })
        .collect()
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

fn session(context: &Pkcs11, label: &str) -> Result<Session, TokenError> {
    let found = tokens(context)?.into_iter().find(|(_, found)| found == label);
    let (slot, _) = found.ok_or_else(|| TokenError::Absent(Problem::wait(format!("there is no token {label}"))))?;
    context
        .open_rw_session(slot)
        .map_err(|error| TokenError::from_module("opening a session", &error))
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
