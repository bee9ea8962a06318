//! The key in the token: found, or generated inside it. Never deleted, never replaced.

use std::ffi::c_ulong;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use log::Level;
use ring::rand::{SecureRandom, SystemRandom};

use super::GENERATION_PATIENCE;
use super::algorithm::{Generate, KeyAlgorithm};
use super::error::TokenError;
use super::public_key::{P256_PARAMETERS, P384_PARAMETERS, PublicKey};
use super::uri::KeyUri;
use crate::event::{Event, journal};
use crate::problem::{Exit, Problem};
use crate::pulse::Pulse;

/// A private key and its public half.
pub(super) struct FoundKey {
    pub(super) private: ObjectHandle,
    pub(super) public: PublicKey,
}

/// Finds the key that `uri` means, if the token has it.
pub(super) fn find(session: &Session, uri: &KeyUri) -> Result<Option<FoundKey>, TokenError> {
    let Some(private) = find_private(session, uri)? else {
        return Ok(None);
    };
    let public = PublicKey::read(session, find_public(session, private)?)?;
    Ok(Some(FoundKey { private, public }))
}

/// Finds the key that `uri` means, or makes it as `generate` says.
pub(super) fn find_or_generate(
    session: &Session,
    uri: &KeyUri,
    generate: Generate,
    pulse: &Pulse,
) -> Result<FoundKey, TokenError> {
    let private = match (find_private(session, uri)?, generate) {
        (Some(private), _) => private,
        (None, Generate::Key(algorithm)) => {
            pulse.excused(GENERATION_PATIENCE, || self::generate(session, uri, algorithm))?
        }
        (None, Generate::Never) => {
            return Err(TokenError::Absent(
                Problem::configuration(format!("no private key matches {uri}"))
                    .next("make the key, correct token.key, or set token.generate to let gatepost make it"),
            ));
        }
    };
    let public = PublicKey::read(session, find_public(session, private)?)?;
    Ok(FoundKey { private, public })
}

fn find_private(session: &Session, uri: &KeyUri) -> Result<Option<ObjectHandle>, TokenError> {
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
    template.extend(uri.object().map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template.extend(uri.id().map(|id| Attribute::Id(id.to_vec())));
    let found = session
        .find_objects(&template)
        .map_err(|error| TokenError::from_module("looking for the private key", &error))?;
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        [first, second, ..] => Err(TokenError::Final(
            Exit::Configuration,
            Problem::configuration(format!(
                "{} private keys match {uri}, among them {} and {}",
                found.len(),
                describe(session, *first),
                describe(session, *second),
            ))
            .next("name one of them in token.key by its id (id=%01%02...)"),
        )),
    }
}

/// An object by label and id, as `token.key` would name it.
fn describe(session: &Session, object: ObjectHandle) -> String {
    let attributes = session
        .get_attributes(object, &[AttributeType::Label, AttributeType::Id])
        .unwrap_or_default();
    let (mut label, mut id) = (String::new(), String::new());
    for attribute in attributes {
        match attribute {
            Attribute::Label(value) => label = String::from_utf8_lossy(&value).into_owned(),
            Attribute::Id(value) => id = value.iter().map(|byte| format!("%{byte:02x}")).collect(),
            _ => {}
        }
    }
    format!("object \"{label}\" id {id}")
}

fn find_public(session: &Session, private: ObjectHandle) -> Result<ObjectHandle, TokenError> {
    let failed = |error: &cryptoki::error::Error| TokenError::from_module("looking for the public key", error);
    let same = session
        .get_attributes(private, &[AttributeType::Id, AttributeType::KeyType])
        .map_err(|e| failed(&e))?;
    let template: Vec<_> = std::iter::once(Attribute::Class(ObjectClass::PUBLIC_KEY))
        .chain(same)
        .collect();
    session
        .find_objects(&template)
        .map_err(|e| failed(&e))?
        .first()
        .copied()
        .ok_or_else(|| {
            TokenError::configuration(
                Problem::configuration("the private key has no public key object with the same id").next(
                    "import the public key beside it with the same id (pkcs11-tool --write-object --type pubkey)",
                ),
            )
        })
}

/// Generates the pair. Neither CKA_VERIFY nor CKA_DECRYPT is asked for: tpm2-pkcs11 takes both for the TPM's `decrypt`
/// attribute and fails on a contradiction (src/lib/tpm.c, tpm_handlers), and it makes RSA signatures with TPM2_RSA_Decrypt,
/// so that an RSA key without that attribute could not sign.
fn generate(session: &Session, uri: &KeyUri, algorithm: KeyAlgorithm) -> Result<ObjectHandle, TokenError> {
    let label = uri.object().unwrap_or_default().as_bytes().to_vec();
    let id = match uri.id() {
        Some(id) => id.to_vec(),
        None => random_id()?,
    };
    let mut public = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Label(label.clone()),
        Attribute::Id(id.clone()),
    ];
    let mechanism = match algorithm {
        KeyAlgorithm::EcP256 => {
            public.push(Attribute::EcParams(P256_PARAMETERS.to_vec()));
            Mechanism::EccKeyPairGen
        }
        KeyAlgorithm::EcP384 => {
            public.push(Attribute::EcParams(P384_PARAMETERS.to_vec()));
            Mechanism::EccKeyPairGen
        }
        KeyAlgorithm::Rsa(bits) => {
            public.push(Attribute::ModulusBits(c_ulong::from(bits).into()));
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
            Mechanism::RsaPkcsKeyPairGen
        }
    };
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label),
        Attribute::Id(id),
    ];
    journal!(Level::Info, Event::KeyGeneration; "token: no key matches {uri}; generating {algorithm} inside the token");
    let (_, private) = session
        .generate_key_pair(&mechanism, &public, &private)
        .map_err(|error| TokenError::from_module(&format!("generating a key of type {algorithm}"), &error))?;
    Ok(private)
}

fn random_id() -> Result<Vec<u8>, TokenError> {
    let mut id = vec![0; 8];
    SystemRandom::new()
        .fill(&mut id)
        .map_err(|_| TokenError::Device(Problem::wait("the kernel gives no random numbers")))?;
    Ok(id)
}
