//! Proves which public key belongs to a private key, with a signature that the token makes and that is verified here.

use ring::rand::{SecureRandom, SystemRandom};

use super::algorithm::{Hash, KeyAlgorithm, Scheme};
use super::candidates::Candidate;
use super::error::TokenError;
use super::named_key::NamedKey;
use super::names::list;
use super::public_key::PublicKey;
use super::signing::verify;
use crate::problem::{Exit, Problem};

/// The highest number of candidates that a message names.
const NAMED: usize = 4;

/// The names of the module and the private key, for messages.
pub(super) struct Claim<'a> {
    /// The path of the module.
    pub(super) module: &'a str,
    /// The private key by label and id.
    pub(super) private: &'a str,
    /// The key in the configuration.
    pub(super) name: &'a NamedKey,
}

/// Returns the first of `candidates` that verifies a signature of `sign`.
///
/// Each scheme needs one signature, however many candidates there are. An RSA key is tried with PSS first, because a valid PSS
/// signature also proves that TLS 1.3 is possible. Some TPMs choose a different salt length.
pub(super) fn prove(
    claim: &Claim,
    candidates: impl Iterator<Item = Result<Candidate, TokenError>>,
    sign: impl FnMut(Scheme, &[u8]) -> Result<Vec<u8>, TokenError>,
) -> Result<PublicKey, TokenError> {
    let mut signatures = Signatures::new(sign)?;
    let mut wrong = Vec::new();
    let (mut wrong_file, mut unusable, mut likely_unusable) = (None, None, None);
    for candidate in candidates {
        let candidate = candidate?;
        match candidate.key {
            Ok(key) => match signatures.prove(key)? {
                Some(proven) => return Ok(proven),
                None if candidate.is_replaceable => {
                    wrong_file = wrong_file.or_else(|| Some(format!("the {} is for another key", candidate.name)));
                }
                None => wrong.push(candidate.name),
            },
            // The file has no certificate in it.
            Err(TokenError::Absent(problem)) if candidate.is_replaceable => {
                wrong_file = wrong_file.or(Some(problem.message))
            }
            Err(error) if candidate.is_likely => likely_unusable = likely_unusable.or(Some(error)),
            Err(error) => unusable = unusable.or(Some(error)),
        }
    }
    // If the public key that belongs to the private key cannot be used, it is expected that other keys do not verify.
    if let (None, Some(unusable)) = (&signatures.refusal, likely_unusable) {
        return Err(advise_another(claim, unusable));
    }
    Err(match (wrong.as_slice(), signatures.refusal, unusable) {
        (_, Some(refusal), _) => refusal,
        ([], None, Some(unusable)) => advise_another(claim, unusable),
        ([], None, None) => no_public_key(claim, wrong_file.as_deref()),
        (wrong, None, _) => disproven(claim, wrong),
    })
}

/// Adds the next step to the error of a public key that cannot be used.
fn advise_another(claim: &Claim, error: TokenError) -> TokenError {
    match error {
        TokenError::Final(exit, problem) if problem.next_step.is_none() => {
            TokenError::Final(exit, claim.name.advise_another(problem))
        }
        error => error,
    }
}

fn no_public_key(claim: &Claim, wrong_file: Option<&str>) -> TokenError {
    let NamedKey {
        certificate_setting: place,
        ..
    } = claim.name;
    let no_file = format!("there is no certificate at {place}");
    let file = wrong_file.unwrap_or(&no_file);
    // The daemon waits for the certificate of the device's key, and tries again when it is there.
    let error = match claim.name.is_device_key() {
        true => TokenError::Absent,
        false => TokenError::configuration,
    };
    error(
        Problem::configuration(format!(
            "the private key {} has no public key: neither a public key object nor a certificate in the token, and {file}",
            claim.private
        ))
        .next(format!(
            "import the public key (pkcs11-tool --write-object FILE --type pubkey, with the same id), or put the \
             certificate for this key to {place}"
        )),
    )
}

fn disproven(claim: &Claim, wrong: &[String]) -> TokenError {
    TokenError::configuration(
        Problem::configuration(format!(
            "what {} signs with the private key {} does not verify with {}",
            claim.module,
            claim.private,
            list(wrong, NAMED)
        ))
        .next(
            "either the public key is another key's: import the right one with the id of the private key; or the module signs \
             wrongly: try another version of it",
        ),
    )
}

/// The signatures over one message, made on demand.
struct Signatures<Sign> {
    sign: Sign,
    message: [u8; 32],
    made: Vec<(Scheme, Option<Vec<u8>>)>,
    /// The reason why the token refused to sign.
    refusal: Option<TokenError>,
}

impl<Sign: FnMut(Scheme, &[u8]) -> Result<Vec<u8>, TokenError>> Signatures<Sign> {
    fn new(sign: Sign) -> Result<Self, TokenError> {
        let mut message = [0; 32];
        SystemRandom::new()
            .fill(&mut message)
            .map_err(|_| TokenError::Device(Problem::wait("the kernel provides no random numbers")))?;
        Ok(Self {
            sign,
            message,
            made: Vec::new(),
            refusal: None,
        })
    }

    /// Returns the key, with its support for PSS, if a signature verifies with it.
    fn prove(&mut self, mut key: PublicKey) -> Result<Option<PublicKey>, TokenError> {
        let schemes: &[Scheme] = match key.algorithm {
            KeyAlgorithm::EcP256 => &[Scheme::Ecdsa(Hash::Sha256)],
            KeyAlgorithm::EcP384 => &[Scheme::Ecdsa(Hash::Sha384)],
            KeyAlgorithm::Rsa(_) => &[Scheme::RsaPss(Hash::Sha256), Scheme::RsaPkcs1(Hash::Sha256)],
        };
        for scheme in schemes {
            let signature = self.signature(*scheme)?;
            if signature.is_some_and(|signature| verify(&key, *scheme, &self.message, &signature)) {
                key.pss = matches!(scheme, Scheme::RsaPss(_));
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Returns the token's signature; `None` if the token refuses this mechanism. A device error says nothing about the key.
    fn signature(&mut self, scheme: Scheme) -> Result<Option<Vec<u8>>, TokenError> {
        if let Some((_, signature)) = self.made.iter().find(|(made, _)| *made == scheme) {
            return Ok(signature.clone());
        }
        let signature = match (self.sign)(scheme, &self.message) {
            Ok(signature) => Some(signature),
            // TLS 1.2 works without PSS. Modules report its absence in many ways, and a fault of the device shows in the next
            // signature.
            Err(TokenError::Final(Exit::Configuration, _) | TokenError::Device(_))
                if matches!(scheme, Scheme::RsaPss(_)) =>
            {
                None
            }
            Err(error @ TokenError::Final(Exit::Configuration, _)) => {
                self.refusal = Some(error);
                None
            }
            Err(error) => return Err(error),
        };
        self.made.push((scheme, signature.clone()));
        Ok(signature)
    }
}

#[cfg(test)]
mod tests;
