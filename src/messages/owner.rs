//! Owners of durable subscriptions, and accounts of messages.
//!
//! The database stores both, so their encoding is stable and consists of numbers and names. It does not depend on the wording
//! of any message.

use std::fmt;

use crate::percent;
use crate::user_accounts::UserAccounts;

/// The owner of a durable subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// All processes of a user.
    User {
        /// The user.
        uid: u32,
        /// The primary group at the last subscription, which rules may select by; unknown if an older version stored it.
        gid: Option<u32>,
    },
    /// The processes of a systemd unit. The rule that allowed the subscription selects by the unit.
    Unit {
        /// The unit's name.
        unit: String,
        /// The user that it ran as at the last subscription. systemd may assign another one later.
        uid: u32,
        /// The primary group at the last subscription.
        gid: u32,
    },
    /// The holders of a loopback token, by the selectors of its rule.
    Token(TokenOwner),
    /// Text that this version cannot parse. Only the administrator may use the subscription.
    Unknown(String),
}

/// The selectors of a token's rule: names and values, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenOwner(pub Vec<(&'static str, String)>);

/// The account of a message or a durable subscription, for limits and fairness.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(String);

/// The selectors of rules, in the order of the encoding.
pub const SELECTORS: [&str; 5] = ["user", "group", "uid", "gid", "unit"];

impl Account {
    /// Makes an account from its encoding.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the account of a user.
    pub fn of_user(uid: u32) -> Self {
        Self(format!("uid={uid}"))
    }

    /// Returns the encoding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Owner {
    /// Returns whether both are the same owner: users by number, units by name, tokens by rule.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User { uid, .. }, Self::User { uid: other, .. }) => uid == other,
            (Self::Unit { unit, .. }, Self::Unit { unit: other, .. }) => unit == other,
            (Self::Token(rule), Self::Token(other)) => rule == other,
            _ => false,
        }
    }

    /// Returns whether both have the same account: they are the same owner, or users that one user can become.
    pub fn shares_account_with(&self, other: &Self, accounts: &UserAccounts) -> bool {
        match (self, other) {
            (Self::User { uid, .. }, Self::User { uid: other, .. }) => {
                accounts.account_uid(*uid) == accounts.account_uid(*other)
            }
            _ => self.is(other),
        }
    }

    /// Returns the account, for limits.
    pub fn account(&self) -> Account {
        match self {
            Self::User { uid, .. } => Account::of_user(*uid),
            Self::Unit { unit, .. } => Account(format!("unit={}", escape(unit))),
            Self::Token(_) | Self::Unknown(_) => Account(self.to_text()),
        }
    }

    /// Encodes the owner for the database.
    pub fn to_text(&self) -> String {
        match self {
            Self::User { uid, gid: Some(gid) } => format!("uid={uid};gid={gid}"),
            Self::User { uid, gid: None } => format!("uid={uid}"),
            Self::Unit { unit, uid, gid } => format!("unit={};uid={uid};gid={gid}", escape(unit)),
            Self::Token(TokenOwner(selectors)) => {
                let selectors = selectors.iter();
                let parts = selectors.map(|(name, value)| format!(";{name}={}", escape(value)));
                format!("token{}", parts.collect::<String>())
            }
            Self::Unknown(text) => text.clone(),
        }
    }

    /// Decodes an owner from the database.
    pub fn from_text(text: &str) -> Self {
        parse(text).unwrap_or_else(|| Self::Unknown(text.to_owned()))
    }

    /// Parses the prose in which schema 1 stores owners.
    pub(super) fn from_prose(prose: &str) -> Self {
        let user = prose.strip_prefix("uid ").and_then(|uid| uid.parse().ok());
        if let Some(uid) = user {
            return Self::User { uid, gid: None };
        }
        let selectors = prose
            .strip_prefix("the holder of the token for ")
            .and_then(|selectors| {
                let all = selectors.split(", ").map(|selector| {
                    let (name, value) = selector.split_once(' ')?;
                    Some((find_selector(name)?, value.to_owned()))
                });
                all.collect::<Option<Vec<_>>>()
            });
        match selectors {
            Some(selectors) => Self::Token(TokenOwner(selectors)),
            None => Self::Unknown(format!("unknown={}", escape(prose))),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { uid, .. } => write!(f, "uid {uid}"),
            Self::Unit { unit, .. } => write!(f, "unit {unit}"),
            Self::Token(TokenOwner(selectors)) => {
                let selectors = selectors.iter().map(|(name, value)| format!("{name} {value}"));
                let selectors = selectors.collect::<Vec<_>>().join(", ");
                write!(f, "the holder of the token for {selectors}")
            }
            Self::Unknown(_) => f.write_str("an owner that this version does not know"),
        }
    }
}

fn parse(text: &str) -> Option<Owner> {
    let mut parts = text.split(';');
    if text == "token" || text.starts_with("token;") {
        let selectors = parts.skip(1).map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((find_selector(name)?, unescape(value)?))
        });
        return Some(Owner::Token(TokenOwner(selectors.collect::<Option<_>>()?)));
    }
    let mut next = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
    let owner = if text.starts_with("unit=") {
        Owner::Unit {
            unit: unescape(&next("unit")?)?,
            uid: next("uid")?.parse().ok()?,
            gid: next("gid")?.parse().ok()?,
        }
    } else {
        Owner::User {
            uid: next("uid")?.parse().ok()?,
            gid: next("gid").map(|gid| gid.parse()).transpose().ok()?,
        }
    };
    parts.next().is_none().then_some(owner)
}

fn find_selector(name: &str) -> Option<&'static str> {
    SELECTORS.into_iter().find(|known| *known == name)
}

/// Escapes the separators of the encoding.
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for letter in name.chars() {
        match letter {
            ';' | '=' | '%' => escaped.push_str(&format!("%{:02X}", u32::from(letter))),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    String::from_utf8(percent::decode(text)?).ok()
}

#[cfg(test)]
mod tests;
