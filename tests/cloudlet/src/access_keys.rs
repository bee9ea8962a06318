//! The access keys that AWS knows: the administrator's, and those of the sessions that were issued. Signatures are verified with them.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use data_encoding::{BASE32_NOPAD, BASE64};
use parking_lot::RwLock;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// Every access key that was issued in this run. Expired keys are kept, so that they can be told from keys that never existed.
#[derive(Clone, Default)]
pub struct AccessKeys {
    /// Keys in the order of their issue. There are few, and the search for the signer's key starts at the end.
    keys: Arc<RwLock<Vec<Arc<AccessKey>>>>,
}

/// A set of temporary credentials, as its holder sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// `ASIA` and 16 characters, as AWS marks temporary ones.
    pub access_key_id: String,
    /// 40 characters of base64.
    pub secret_access_key: String,
    /// The session token: as long as AWS's usually are (no maximum is documented), and likely to contain every special
    /// character of base64.
    pub session_token: String,
}

/// A long-term access key, as `aws configure` takes it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongTerm {
    /// `AKIA` and 16 characters.
    pub access_key_id: String,
    /// 40 characters of base64.
    pub secret_access_key: String,
}

/// The owner of an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The account's administrator, who may do everything.
    Administrator,
    /// The session of a role.
    RoleSession {
        /// `arn:aws:iam::ACCOUNT:role/NAME`.
        role_arn: String,
        /// The credentials provider uses the certificate ID.
        session_name: String,
    },
}

/// An access key, as AWS stores it.
pub struct AccessKey {
    /// The ID that requests contain.
    pub id: String,
    /// The secret that signs requests and is never sent.
    pub secret: String,
    /// The session token that requests must contain if the key is temporary.
    pub session_token: Option<String>,
    /// The owner.
    pub principal: Principal,
    /// The expiration, if the key is temporary.
    pub expires: Option<SystemTime>,
}

impl LongTerm {
    /// Creates a random key.
    pub(crate) fn new() -> Self {
        Self {
            access_key_id: format!("AKIA{}", BASE32_NOPAD.encode(&random::<10>())),
            secret_access_key: BASE64.encode(&random::<30>()),
        }
    }
}

impl AccessKeys {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the administrator's key.
    pub fn add_administrator(&self, key: &LongTerm) {
        self.add(AccessKey {
            id: key.access_key_id.clone(),
            secret: key.secret_access_key.clone(),
            session_token: None,
            principal: Principal::Administrator,
            expires: None,
        });
    }

    /// Issues credentials for a session of the role.
    pub fn mint(&self, role_arn: impl Into<String>, session_name: impl Into<String>, expires: SystemTime) -> Minted {
        let minted = Minted {
            access_key_id: format!("ASIA{}", BASE32_NOPAD.encode(&random::<10>())),
            secret_access_key: BASE64.encode(&random::<30>()),
            session_token: BASE64.encode(&random::<550>()),
        };
        self.add(AccessKey {
            id: minted.access_key_id.clone(),
            secret: minted.secret_access_key.clone(),
            session_token: Some(minted.session_token.clone()),
            principal: Principal::RoleSession {
                role_arn: role_arn.into(),
                session_name: session_name.into(),
            },
            expires: Some(expires),
        });
        minted
    }

    /// Returns the access key with this ID, expired or not.
    pub fn get(&self, access_key_id: &str) -> Option<Arc<AccessKey>> {
        let keys = self.keys.read();
        let mut youngest_first = keys.iter().rev();
        youngest_first.find(|key| key.id == access_key_id).cloned()
    }

    /// Returns all temporary credentials that were issued, in order.
    pub fn minted(&self) -> Vec<Minted> {
        let keys = self.keys.read();
        let temporary = keys.iter().filter_map(|key| {
            Some(Minted {
                access_key_id: key.id.clone(),
                secret_access_key: key.secret.clone(),
                session_token: key.session_token.clone()?,
            })
        });
        temporary.collect()
    }

    fn add(&self, key: AccessKey) {
        self.keys.write().push(Arc::new(key));
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(
        clippy::expect_used,
        reason = "Linux's getrandom fails only where the system call does not exist"
    )]
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the kernel gives random bytes");
    bytes
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessKeys({})", self.keys.read().len())
    }
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for LongTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongTerm")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .field("principal", &self.principal)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::{AccessKeys, LongTerm, Principal};

    #[test]
    fn credentials_look_like_those_of_aws() {
        let keys = AccessKeys::new();
        let minted = keys
            .clone()
            .mint("arn:aws:iam::123456789012:role/r", "s", SystemTime::UNIX_EPOCH);
        assert!(minted.access_key_id.starts_with("ASIA") && minted.access_key_id.len() == 20);
        assert!(
            minted
                .access_key_id
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        );
        assert_eq!(minted.secret_access_key.len(), 40);
        assert!(minted.session_token.len() > 600);

        let known = keys.get(&minted.access_key_id).unwrap();
        let principal = Principal::RoleSession {
            role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
            session_name: "s".to_owned(),
        };
        assert_eq!(
            (&known.secret, &known.principal),
            (&minted.secret_access_key, &principal)
        );
        assert!(keys.get("ASIANEVERISSUED00000").is_none());
        let another = keys.mint("r", "s", SystemTime::UNIX_EPOCH);
        assert_ne!(minted, another);
        keys.add_administrator(&LongTerm::new());
        assert_eq!(keys.minted(), [minted, another]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = AccessKeys::new();
        let minted = keys.mint("r", "s", SystemTime::UNIX_EPOCH);
        let administrator = LongTerm::new();
        let shown = format!(
            "{keys:?} {minted:?} {:?} {administrator:?}",
            keys.get(&minted.access_key_id)
        );
        assert!(shown.contains(&minted.access_key_id) && shown.contains(&administrator.access_key_id));
        let secrets = [
            &minted.secret_access_key,
            &minted.session_token,
            &administrator.secret_access_key,
        ];
        assert!(secrets.into_iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
}
