//! Generates a key inside the token. A key is never deleted or replaced.

use std::ffi::c_ulong;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::Session;
use log::Level;
use ring::rand::{SecureRandom, SystemRandom};

use super::algorithm::KeyAlgorithm;
use super::error::TokenError;
use super::public_key::{P256_PARAMETERS, P384_PARAMETERS};
use super::uri::KeyUri;
use crate::event::{Event, journal};
use crate::problem::Problem;

/// The template that has CKA_EC_PARAMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The public template alone, as in PKCS#11.
    Public,
    /// Both, for Microchip's cryptoauthlib (ATECC608), which answers CKR_TEMPLATE_INCONSISTENT to the standard form.
    Both,
    /// The private template alone.
    Private,
}

/// Generates a key pair.
pub(super) fn generate(session: &Session, uri: &KeyUri, algorithm: KeyAlgorithm) -> Result<(), TokenError> {
    journal!(Level::Info, Event::KeyGeneration; "token: no key matches {uri}; generating {algorithm} inside the token");
    let id = match uri.id() {
        Some(id) => id.to_vec(),
        None => random_id()?,
    };
    let places: &[Place] = match algorithm {
        KeyAlgorithm::Rsa(_) => &[Place::Public],
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 => &[Place::Public, Place::Both, Place::Private],
    };
    try_places(places, |place| {
        let (mechanism, public, private) = build_templates(uri, &id, algorithm, place);
        session.generate_key_pair(&mechanism, &public, &private).map(drop)
    })
    .map_err(|error| match error {
        Error::Pkcs11(RvError::TokenWriteProtected | RvError::SessionReadOnly, _) => write_protected(uri),
        error => TokenError::from_module(&format!("generating a key of type {algorithm}"), &error),
    })
}

/// Creates the error of a write-protected token.
pub(super) fn write_protected(uri: &KeyUri) -> TokenError {
    TokenError::configuration(
        Problem::configuration(format!(
            "no private key matches {uri}, and the token is write-protected"
        ))
        .next("remove the write protection, make the key with the token's own tool, or correct token.key"),
    )
}

/// Tries the places in order until the token does not report an inconsistent template, and returns that result. If all are
/// inconsistent, the first error is returned.
fn try_places(places: &[Place], mut attempt: impl FnMut(Place) -> Result<(), Error>) -> Result<(), Error> {
    let mut first = None;
    for place in places {
        match attempt(*place) {
            Err(error @ Error::Pkcs11(RvError::TemplateInconsistent, _)) => {
                log::debug!("token: a template with CKA_EC_PARAMS in {place:?} is inconsistent");
                first = first.or(Some(error));
            }
            outcome => return outcome,
        }
    }
    first.map_or(Ok(()), Err)
}

/// Builds the mechanism and the public and private templates.
///
/// They have neither CKA_VERIFY nor CKA_DECRYPT. tpm2-pkcs11 maps both to the TPM's `decrypt` attribute and fails on a
/// contradiction (src/lib/tpm.c, tpm_handlers). It also makes RSA signatures with TPM2_RSA_Decrypt, so an RSA key without that
/// attribute could not sign.
fn build_templates(
    uri: &KeyUri,
    id: &[u8],
    algorithm: KeyAlgorithm,
    place: Place,
) -> (Mechanism<'static>, Vec<Attribute>, Vec<Attribute>) {
    let label = uri.object().unwrap_or_default().as_bytes().to_vec();
    let mut public = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Label(label.clone()),
        Attribute::Id(id.to_vec()),
    ];
    let mut private = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label),
        Attribute::Id(id.to_vec()),
    ];
    let parameters = match algorithm {
        KeyAlgorithm::EcP256 => P256_PARAMETERS.to_vec(),
        KeyAlgorithm::EcP384 => P384_PARAMETERS.to_vec(),
        KeyAlgorithm::Rsa(bits) => {
            public.push(Attribute::ModulusBits(c_ulong::from(bits).into()));
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
            return (Mechanism::RsaPkcsKeyPairGen, public, private);
        }
    };
    if place != Place::Private {
        public.push(Attribute::EcParams(parameters.clone()));
    }
    if place != Place::Public {
        private.push(Attribute::EcParams(parameters));
    }
    (Mechanism::EccKeyPairGen, public, private)
}

fn random_id() -> Result<Vec<u8>, TokenError> {
    let mut id = vec![0; 8];
    SystemRandom::new()
        .fill(&mut id)
        .map_err(|_| TokenError::Device(Problem::wait("the kernel provides no random numbers")))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    const PLACES: [Place; 3] = [Place::Public, Place::Both, Place::Private];

    fn answer(rv: RvError) -> Error {
        Error::Pkcs11(rv, Function::GenerateKeyPair)
    }

    #[test]
    fn another_place_is_tried_only_after_an_inconsistent_template() {
        for (wanted, tried) in [(Place::Public, 1), (Place::Both, 2), (Place::Private, 3)] {
            let mut places = Vec::new();
            let result = try_places(&PLACES, |place| {
                places.push(place);
                match place == wanted {
                    true => Ok(()),
                    false => Err(answer(RvError::TemplateInconsistent)),
                }
            });
            assert!(result.is_ok());
            assert_eq!(places, PLACES[..tried]);
        }
        for rv in [
            RvError::DeviceError,
            RvError::TemplateIncomplete,
            RvError::AttributeValueInvalid,
        ] {
            let mut count = 0;
            let result = try_places(&PLACES, |_| {
                count += 1;
                Err(answer(rv))
            });
            assert!(matches!(result, Err(Error::Pkcs11(said, _)) if said == rv), "{rv:?}");
            assert_eq!(count, 1, "{rv:?}");
        }
        let result = try_places(&PLACES, |_| Err(answer(RvError::TemplateInconsistent)));
        assert!(matches!(result, Err(Error::Pkcs11(RvError::TemplateInconsistent, _))));
    }

    #[test]
    fn the_parameters_are_in_the_chosen_templates_only() {
        let uri: KeyUri = "pkcs11:object=device".parse().unwrap();
        let has = |attributes: &[Attribute]| attributes.iter().any(|one| matches!(one, Attribute::EcParams(_)));
        for (place, in_public, in_private) in [
            (Place::Public, true, false),
            (Place::Both, true, true),
            (Place::Private, false, true),
        ] {
            let (_, public, private) = build_templates(&uri, b"1", KeyAlgorithm::EcP256, place);
            assert_eq!((has(&public), has(&private)), (in_public, in_private), "{place:?}");
            assert!(private.contains(&Attribute::Extractable(false)) && private.contains(&Attribute::Sensitive(true)));
        }
    }
}
