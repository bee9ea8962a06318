//! Tests of the proof with key pairs outside a token.

use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::*;
use crate::token::named_key::DEVICE_KEY;
use crate::token::public_key::P256_PARAMETERS;

fn name(setting: &'static str) -> NamedKey {
    NamedKey {
        uri: "pkcs11:object=device".parse().unwrap(),
        setting,
        certificate: "device.pem".into(),
        certificate_setting: "identity.certificate",
    }
}

fn claim(name: &NamedKey) -> Claim<'_> {
    Claim {
        module: "/usr/lib/module.so",
        private: "\"device\" id %01",
        name,
    }
}

/// A key pair outside a token.
struct Pair(EcdsaKeyPair);

impl Pair {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap())
    }

    fn public(&self) -> PublicKey {
        PublicKey::elliptic(&P256_PARAMETERS, self.0.public_key().as_ref()).unwrap()
    }

    fn candidate(&self, name: &str) -> Result<Candidate, TokenError> {
        Ok(Candidate {
            name: name.to_owned(),
            key: Ok(self.public()),
            is_likely: false,
            is_replaceable: name.contains("file"),
        })
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

fn unusable(is_likely: bool) -> Result<Candidate, TokenError> {
    Ok(Candidate {
        name: "public key \"small\"".to_owned(),
        key: PublicKey::rsa(&[0xff; 128], &[1, 0, 1]),
        is_likely,
        is_replaceable: false,
    })
}

fn no_certificate_file(what: &str) -> Result<Candidate, TokenError> {
    Ok(Candidate {
        name: "device.pem".to_owned(),
        key: Err(TokenError::Absent(Problem::configuration(format!("device.pem {what}")))),
        is_likely: false,
        is_replaceable: true,
    })
}

fn refusal(rv: cryptoki::error::RvError) -> TokenError {
    TokenError::from_module(
        "signing",
        &cryptoki::error::Error::Pkcs11(rv, cryptoki::context::Function::Sign),
    )
}

#[test]
fn the_key_that_verifies_is_found_with_a_single_signature() {
    let (right, wrong) = (Pair::new(), Pair::new());
    for place in 0..4 {
        let mut candidates: Vec<_> = (0..3).map(|n| wrong.candidate(&format!("wrong {n}"))).collect();
        candidates.insert(place, right.candidate("right"));
        let mut count = 0;
        let proven = prove(&claim(&name(DEVICE_KEY)), candidates.into_iter(), |_, message| {
            count += 1;
            Ok(right.sign(message))
        });
        assert_eq!(proven.unwrap(), right.public(), "place {place}");
        assert_eq!(count, 1);
    }
}

#[test]
fn a_failed_proof_is_described_by_names() {
    let (private, other) = (Pair::new(), Pair::new());
    let cases: Vec<(Vec<Result<Candidate, TokenError>>, &str)> = vec![
        (
            vec![other.candidate("public key \"a\"")],
            "does not verify with public key \"a\"",
        ),
        (
            vec![unusable(false), other.candidate("public key \"a\"")],
            "does not verify with public key \"a\"",
        ),
        (vec![unusable(false)], "RSA with 1024 bits"),
        (
            vec![unusable(true), other.candidate("public key \"a\"")],
            "RSA with 1024 bits",
        ),
        (
            vec![other.candidate("certificate file"), unusable(true)],
            "RSA with 1024 bits",
        ),
        (vec![no_certificate_file("is empty")], "and device.pem is empty"),
        (
            vec![no_certificate_file("cannot be read: it is not a regular file")],
            "and device.pem cannot be read",
        ),
        (
            vec![unusable(false), no_certificate_file("is empty")],
            "RSA with 1024 bits",
        ),
        (vec![], "there is no certificate at"),
        (
            vec![other.candidate("certificate file")],
            "the certificate file is for another key",
        ),
        (
            vec![other.candidate("public key \"a\""), other.candidate("certificate file")],
            "does not verify with public key \"a\"",
        ),
    ];
    for (candidates, words) in cases {
        let error = prove(&claim(&name(DEVICE_KEY)), candidates.into_iter(), |_, message| {
            Ok(private.sign(message))
        })
        .unwrap_err();
        assert!(error.problem().message.contains(words), "{error:?}");
    }
    let wrongly = prove(
        &claim(&name(DEVICE_KEY)),
        [private.candidate("public key \"a\"")].into_iter(),
        |_, message| {
            let mut signature = private.sign(message);
            if let Some(last) = signature.last_mut() {
                *last ^= 1;
            }
            Ok(signature)
        },
    );
    let message = wrongly.unwrap_err().problem().message.clone();
    assert!(
        message.contains("/usr/lib/module.so") && message.contains("\"device\" id %01"),
        "{message}"
    );
}

#[test]
fn a_failing_device_proves_nothing_about_a_key() {
    use cryptoki::error::RvError;
    let pair = Pair::new();
    let outcome = |rv| {
        prove(
            &claim(&name(DEVICE_KEY)),
            [pair.candidate("a")].into_iter(),
            move |_, _| Err(refusal(rv)),
        )
        .unwrap_err()
    };
    assert!(matches!(outcome(RvError::DeviceError), TokenError::Device(_)));
    assert!(matches!(outcome(RvError::TokenNotPresent), TokenError::Absent(_)));
    assert!(matches!(
        outcome(RvError::PinIncorrect),
        TokenError::Final(Exit::Pin, _)
    ));
    let error = outcome(RvError::KeyFunctionNotPermitted);
    assert!(error.problem().message.contains("KeyFunctionNotPermitted"), "{error:?}");
}
