//! Where temporary credentials come from.

use std::time::SystemTime;

use parking_lot::Mutex;

/// A set of temporary credentials without its expiration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minted {
    /// As in `ASIAIOSFODNN7EXAMPLE`.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: String,
}

/// Makes temporary credentials: sts:AssumeRole as the credentials provider calls it.
pub trait Mint: Send + Sync {
    /// Credentials for a role; `session_name` is the certificate's ID, as AWS's credentials provider has it.
    fn mint(&self, role_arn: &str, session_name: &str, expires: SystemTime) -> Minted;
}

/// Credentials that look like AWS's and that nobody knows.
#[derive(Debug)]
pub struct RandomMint(Mutex<fastrand::Rng>);

impl RandomMint {
    /// The same seed mints the same credentials.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Mint for RandomMint {
    fn mint(&self, _role_arn: &str, _session_name: &str, _expires: SystemTime) -> Minted {
        let mut rng = self.0.lock();
        let mut text = |length: usize| -> String { (0..length).map(|_| rng.alphanumeric()).collect() };
        Minted {
            // IAM user guide, identifiers: temporary credentials begin with ASIA; 20 characters in all.
            access_key_id: format!("ASIA{}", text(16).to_ascii_uppercase()),
            secret_access_key: text(40),
            // A whole answer of the provider is about 1.1 KB (session-helper development notes).
            session_token: text(880),
        }
    }
}
