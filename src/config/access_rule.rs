//! An access rule: the callers that it applies to, and what they may do.

use std::fmt;
use std::path::PathBuf;

/// `[[access]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRule {
    /// Its place in the files, for messages: `access[0] of /etc/gatepost/gatepost.toml`.
    pub place: String,
    /// The callers to which the rule applies.
    pub who: Selectors,
    /// The granted role aliases.
    pub role_aliases: Aliases,
    /// The topics to which callers may publish, as filters in which `{thing}` is not replaced yet.
    pub publish: Vec<String>,
    /// The topics to which callers may subscribe, in the same form.
    pub subscribe: Vec<String>,
    /// The audiences for which callers get tokens.
    pub tokens: Vec<String>,
    /// The file of the administrator's token for the loopback listener; `None` if gatepost makes the token.
    pub token_file: Option<PathBuf>,
}

/// The conditions of a rule. A caller must match all that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selectors {
    /// A user by name.
    pub user: Option<String>,
    /// A group by name, which may be primary or supplementary.
    pub group: Option<String>,
    /// A user by number.
    pub uid: Option<u32>,
    /// A primary group by number.
    pub gid: Option<u32>,
    /// A systemd unit: a service or a scope.
    pub unit: Option<String>,
}

impl fmt::Display for Selectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: &Option<u32>| number.map(|number| number.to_string());
        let all = [
            ("user", self.user.clone()),
            ("group", self.group.clone()),
            ("uid", number(&self.uid)),
            ("gid", number(&self.gid)),
            ("unit", self.unit.clone()),
        ];
        let given = all
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        f.write_str(&given.collect::<Vec<_>>().join(", "))
    }
}

/// The role aliases that a rule grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aliases {
    /// `"*"`: all of them, including those of later drop-ins.
    All,
    /// The named role aliases.
    These(Vec<String>),
}
