//! Ownership tokens: each lets one certificate be registered, once, for an hour (developer guide, provision-wo-cert).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::account::CertificateId;

/// The tokens that can still be used. A cloudlet that starts again knows none.
#[derive(Debug, Default)]
pub(crate) struct OwnershipTokens(Mutex<HashMap<String, Token>>);

#[derive(Debug)]
struct Token {
    certificate: CertificateId,
    issued: Instant,
}

impl OwnershipTokens {
    /// Remembers a token for a certificate.
    pub(super) fn add(&self, text: String, certificate: CertificateId) {
        let token = Token {
            certificate,
            issued: Instant::now(),
        };
        self.0.lock().insert(text, token);
    }

    /// The certificate that a token is for, while it can be used.
    pub(super) fn find(&self, text: &str) -> Option<CertificateId> {
        self.0.lock().get(text).map(|token| token.certificate.clone())
    }

    /// Uses a token up.
    pub(super) fn use_up(&self, text: &str) {
        self.0.lock().remove(text);
    }

    /// Forgets tokens that are too old. Returns their certificates, which were never registered.
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
