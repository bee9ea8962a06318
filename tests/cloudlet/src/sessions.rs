//! The temporary credentials that were issued: what AWS's STS remembers, so that a signature can be checked.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use data_encoding::{BASE32_NOPAD, BASE64};
use parking_lot::RwLock;
use ring::rand::{SecureRandom, SystemRandom};

/// Every session issued in this run, for as long as it lasts: an expired one is told from one that never was.
#[derive(Clone, Default)]
pub struct SessionStore {
    /// In the order of their issue. They are few, so that the one that signed is looked for from the end.
    sessions: Arc<RwLock<Vec<Arc<Session>>>>,
}

/// One set of temporary credentials, as its holder sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// `ASIA` and 16 characters, as AWS marks temporary ones.
    pub access_key_id: String,
    /// 40 characters of base64.
    pub secret_access_key: String,
    /// As long as AWS's are (they promise no maximum), with every special character of base64 likely in it.
    pub session_token: String,
}

/// One set of temporary credentials, as STS remembers it.
pub struct Session {
    /// What the holder was given.
    pub credentials: Minted,
    /// The role whose session this is: `arn:aws:iam::ACCOUNT:role/NAME`.
    pub role_arn: String,
    /// The session's name; the credentials provider takes the certificate ID.
    pub session_name: String,
    /// From then on it is refused.
    pub expires: SystemTime,
}

impl SessionStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Issues credentials for a session of the role.
    pub fn mint(&self, role_arn: impl Into<String>, session_name: impl Into<String>, expires: SystemTime) -> Minted {
        let minted = Minted {
            access_key_id: format!("ASIA{}", BASE32_NOPAD.encode(&random::<10>())),
            secret_access_key: BASE64.encode(&random::<30>()),
            session_token: BASE64.encode(&random::<550>()),
        };
        let session = Session {
            credentials: minted.clone(),
            role_arn: role_arn.into(),
            session_name: session_name.into(),
            expires,
        };
        self.sessions.write().push(Arc::new(session));
        minted
    }

    /// The session with this access key ID, expired or not.
    pub fn get(&self, access_key_id: &str) -> Option<Arc<Session>> {
        let sessions = self.sessions.read();
        let mut youngest_first = sessions.iter().rev();
        youngest_first
            .find(|session| session.credentials.access_key_id == access_key_id)
            .cloned()
    }

    /// Every set of credentials ever issued, in that order.
    pub fn minted(&self) -> Vec<Minted> {
        let sessions = self.sessions.read();
        sessions.iter().map(|session| session.credentials.clone()).collect()
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

impl fmt::Debug for SessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionStore({} sessions)", self.sessions.read().len())
    }
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("credentials", &self.credentials)
            .field("role_arn", &self.role_arn)
            .field("session_name", &self.session_name)
            .field("expires", &self.expires)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::SessionStore;

    #[test]
    fn credentials_look_like_those_of_aws() {
        let store = SessionStore::new();
        let minted = store
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

        let session = store.get(&minted.access_key_id).unwrap();
        assert_eq!((&session.credentials, session.session_name.as_str()), (&minted, "s"));
        assert!(store.get("ASIANEVERISSUED00000").is_none());
        let another = store.mint("r", "s", SystemTime::UNIX_EPOCH);
        assert_ne!(minted, another);
        assert_eq!(store.minted(), [minted, another]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let store = SessionStore::new();
        let minted = store.mint("r", "s", SystemTime::UNIX_EPOCH);
        let shown = format!("{store:?} {minted:?} {:?}", store.get(&minted.access_key_id));
        assert!(shown.contains(&minted.access_key_id));
        assert!(
            !shown.contains(&minted.secret_access_key) && !shown.contains(&minted.session_token),
            "{shown}"
        );
    }
}
