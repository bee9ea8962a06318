//! Ownership tokens: each allows one certificate to be registered, once, within an hour (developer guide, provision-wo-cert).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::account::CertificateId;

/// The tokens that can still be used. They are lost when the cloudlet is restarted.
#[derive(Debug, Default)]
pub(crate) struct OwnershipTokens(Mutex<HashMap<String, Token>>);

#[derive(Debug)]
struct Token {
    certificate: CertificateId,
    issued: Instant,
}

impl OwnershipTokens {
    /// Adds a token for a certificate.
    pub(super) fn add(&self, text: String, certificate: CertificateId) {
        let token = Token {
            certificate,
            issued: Instant::now(),
        };
        self.0.lock().insert(text, token);
    }

    /// Returns the certificate that belongs to a token, as long as the token can be used.
    pub(super) fn find(&self, text: &str) -> Option<CertificateId> {
        self.0.lock().get(text).map(|token| token.certificate.clone())
    }

    /// Removes a token that was used.
    pub(super) fn use_up(&self, text: &str) {
        self.0.lock().remove(text);
    }

    /// Removes expired tokens. Returns their certificates, which were never registered.
    pub(super) fn expire(&self, lifetime: Duration) -> Vec<CertificateId> {
        let mut expired = Vec::new();
        self.0.lock().retain(|_, token| {
            let is_valid = token.issued.elapsed() < lifetime;
            if !is_valid {
                expired.push(token.certificate.clone());
            }
            is_valid
        });
        expired
    }
}
