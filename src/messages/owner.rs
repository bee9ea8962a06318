//! The owner of a durable subscription, and the account that a message counts for.
//!
//! Both are in the database, so their form is stable and made of numbers and names: rewording a message disowns nobody.

use std::fmt;

use crate::percent;
use crate::user_accounts::UserAccounts;

/// The owner of a durable subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Every process of a user.
    User {
        /// The user.
        uid: u32,
        /// The primary group at the last subscription, by which rules may select; unknown for those of an older version.
        gid: Option<u32>,
    },
    /// The processes of a systemd unit: the rule that gave the subscription selects by it.
    Unit {
        /// The unit's name.
        unit: String,
        /// The user it ran as at the last subscription. systemd may give the unit another one.
        uid: u32,
        /// The primary group at the last subscription.
        gid: u32,
    },
    /// The holders of a token of the loopback listener, by the selectors of its rule.
    Token(TokenOwner),
    /// Text that this version cannot read: nobody's but the administrator's.
    Unknown(String),
}

/// The selectors of a token's rule: names and values, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenOwner(pub Vec<(&'static str, String)>);

/// The account of a message or a durable subscription: limits and turns are shared out by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(String);

/// The selectors that rules have, in the order in which they are written.
pub const SELECTORS: [&str; 5] = ["user", "group", "uid", "gid", "unit"];

impl Account {
    /// An account by its stable text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The account of a user.
    pub fn of_user(uid: u32) -> Self {
        Self(format!("uid={uid}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Owner {
    /// Whether both are the same owner: a user by its number, a unit by its name, a token by its rule.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User { uid, .. }, Self::User { uid: other, .. }) => uid == other,
            (Self::Unit { unit, .. }, Self::Unit { unit: other, .. }) => unit == other,
            (Self::Token(rule), Self::Token(other)) => rule == other,
            _ => false,
        }
    }

    /// Whether both count for the same account: they are the same owner, or users that one user can become.
    pub fn shares_with(&self, other: &Self, accounts: &UserAccounts) -> bool {
        match (self, other) {
            (Self::User { uid, .. }, Self::User { uid: other, .. }) => {
                accounts.account_uid(*uid) == accounts.account_uid(*other)
            }
            _ => self.is(other),
        }
    }

    /// The account that limits go by.
    pub fn account(&self) -> Account {
        match self {
            Self::User { uid, .. } => Account::of_user(*uid),
            Self::Unit { unit, .. } => Account(format!("unit={}", escaped(unit))),
            Self::Token(_) | Self::Unknown(_) => Account(self.to_text()),
        }
    }

    /// The form in the database.
    pub fn to_text(&self) -> String {
        match self {
            Self::User { uid, gid: Some(gid) } => format!("uid={uid};gid={gid}"),
            Self::User { uid, gid: None } => format!("uid={uid}"),
            Self::Unit { unit, uid, gid } => format!("unit={};uid={uid};gid={gid}", escaped(unit)),
            Self::Token(TokenOwner(selectors)) => {
                let selectors = selectors.iter();
                let parts = selectors.map(|(name, value)| format!(";{name}={}", escaped(value)));
                format!("token{}", parts.collect::<String>())
            }
            Self::Unknown(text) => text.clone(),
        }
    }

    /// Reads the form in the database.
    pub fn from_text(text: &str) -> Self {
        parse(text).unwrap_or_else(|| Self::Unknown(text.to_owned()))
    }

    /// Reads the sentences that databases up to schema 1 have in its place.
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
                    Some((known(name)?, value.to_owned()))
                });
                all.collect::<Option<Vec<_>>>()
            });
        match selectors {
            Some(selectors) => Self::Token(TokenOwner(selectors)),
            None => Self::Unknown(format!("unknown={}", escaped(prose))),
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
            Some((known(name)?, unescaped(value)?))
        });
        return Some(Owner::Token(TokenOwner(selectors.collect::<Option<_>>()?)));
    }
    let mut next = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
    let owner = if text.starts_with("unit=") {
        Owner::Unit {
            unit: unescaped(&next("unit")?)?,
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

fn known(name: &str) -> Option<&'static str> {
    SELECTORS.into_iter().find(|known| *known == name)
}

/// A name that cannot be taken for punctuation.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for letter in name.chars() {
        match letter {
            ';' | '=' | '%' => escaped.push_str(&format!("%{:02X}", u32::from(letter))),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn unescaped(text: &str) -> Option<String> {
    String::from_utf8(percent::decode(text)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(selectors: &[(&'static str, &str)]) -> Owner {
        let selectors = selectors.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Owner::Token(TokenOwner(selectors.collect()))
    }

    #[test]
    fn sentences_of_older_databases_become_owners() {
        let user = |uid| Owner::User { uid, gid: None };
        for (prose, owner) in [
            ("uid 0", user(0)),
            ("uid 4294967295", user(u32::MAX)),
            ("the holder of the token for user camera", token(&[("user", "camera")])),
            ("the holder of the token for group video", token(&[("group", "video")])),
            (
                "the holder of the token for unit camera.service",
                token(&[("unit", "camera.service")]),
            ),
            (
                "the holder of the token for user a, group b, uid 1, gid 2, unit c d.service",
                token(&[
                    ("user", "a"),
                    ("group", "b"),
                    ("uid", "1"),
                    ("gid", "2"),
                    ("unit", "c d.service"),
                ]),
            ),
        ] {
            assert_eq!(Owner::from_prose(prose), owner, "{prose}");
        }
        for prose in [
            "",
            "uid",
            "uid x",
            "uid -1",
            "uid 4294967296",
            "somebody",
            "the holder of the token for nobody x",
        ] {
            let owner = Owner::from_prose(prose);
            assert!(matches!(owner, Owner::Unknown(_)), "{prose}");
            assert_eq!(Owner::from_text(&owner.to_text()), owner);
            assert!(!owner.is(&owner), "an unknown owner is nobody");
        }
    }

    #[test]
    fn an_owner_is_told_from_others() {
        let unit = |unit: &str, uid| Owner::Unit {
            unit: unit.to_owned(),
            uid,
            gid: uid,
        };
        let user = |uid, gid| Owner::User { uid, gid };
        for (one, other, same) in [
            (user(1, None), user(1, Some(7)), true),
            (user(1, None), user(2, None), false),
            (unit("a.service", 1), unit("a.service", 2), true),
            (unit("a.service", 1), unit("b.service", 1), false),
            (unit("a.service", 1), user(1, Some(1)), false),
            (token(&[("uid", "1")]), user(1, None), false),
            (token(&[("uid", "1")]), token(&[("uid", "1")]), true),
            (token(&[("uid", "1")]), token(&[("gid", "1")]), false),
        ] {
            assert_eq!(one.is(&other), same, "{one} {other}");
            assert_eq!(other.is(&one), same, "{one} {other}");
            assert_eq!(one.account() == other.account(), same, "{one} {other}");
        }
    }

    #[test]
    fn text_that_no_version_wrote_is_nobodys() {
        for text in [
            "",
            "uid",
            "uid=",
            "uid=x",
            "uid=1;gid=",
            "uid=1;gid=2;x=3",
            "unit=a;uid=1",
            "unit=%zz;uid=1;gid=1",
            "token;x=1",
            "token;user",
            "tokens;user=a",
            "gid=1",
        ] {
            assert_eq!(Owner::from_text(text), Owner::Unknown(text.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn owners_come_back_from_their_text(uid: u32, gid: Option<u32>, name in ".*", group in ".*") {
            for owner in [
                Owner::User { uid, gid },
                Owner::Unit { unit: name.clone(), uid, gid: gid.unwrap_or(0) },
                token(&[]),
                token(&[("user", &name), ("group", &group)]),
            ] {
                prop_assert_eq!(Owner::from_text(&owner.to_text()), owner);
            }
        }
    }
}
