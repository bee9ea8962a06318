//! Defines the permissions that an access rule can grant.

use std::fmt;

/// The permission that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission<'a> {
    /// Credentials of this role alias.
    RoleAlias(&'a str),
    /// Publishing to this topic.
    Publish(&'a str),
    /// Subscribing to this filter.
    Subscribe(&'a str),
    /// Tokens for this audience.
    Token(&'a str),
}

impl<'a> Permission<'a> {
    /// Returns the rule's key that gives the permission, and the value that it must have there.
    pub fn key(&self) -> (&'static str, &'a str) {
        match self {
            Self::RoleAlias(alias) => ("role-aliases", alias),
            Self::Publish(topic) => ("publish", topic),
            Self::Subscribe(filter) => ("subscribe", filter),
            Self::Token(audience) => ("tokens", audience),
        }
    }
}

impl fmt::Display for Permission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleAlias("*") => f.write_str("credentials of any role alias"),
            Self::RoleAlias(alias) => write!(f, "role alias \"{}\"", alias.escape_debug()),
            Self::Publish(topic) => write!(f, "right to publish to \"{}\"", topic.escape_debug()),
            Self::Token(audience) => write!(f, "token for \"{}\"", audience.escape_debug()),
            Self::Subscribe(filter) => write!(f, "right to subscribe to \"{}\"", filter.escape_debug()),
        }
    }
}
