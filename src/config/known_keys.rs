//! Lists the tables and keys of the configuration, and suggests the one that a mistyped name was meant to be.
//!
//! A test compares the list with [`Raw`](super::raw::Raw).

use super::spelling::is_near;

/// A table and its keys.
pub(super) struct KnownTable {
    /// The name in the header, or the path of an inline table.
    pub(super) name: &'static str,
    /// Whether it is an array of tables, such as `[[access]]`.
    pub(super) is_list: bool,
    pub(super) keys: &'static [&'static str],
}

const fn table(name: &'static str, is_list: bool, keys: &'static [&'static str]) -> KnownTable {
    KnownTable { name, is_list, keys }
}

pub(super) const TABLES: [KnownTable; 14] = [
    table(
        "aws",
        false,
        &[
            "mqtt-endpoint",
            "credentials-endpoint",
            "root-ca",
            "mqtt-alpn",
            "sts-endpoint",
        ],
    ),
    table("token", false, &["module", "key", "pin-file", "generate"]),
    table("identity", false, &["certificate", "ca-chain", "thing-name", "subject"]),
    table(
        "identity.subject",
        false,
        &[
            "common-name",
            "country",
            "state",
            "locality",
            "organization",
            "organizational-unit",
            "serial-number",
            "dn-qualifier",
        ],
    ),
    table("role-alias", true, &["name", "default"]),
    table(
        "access",
        true,
        &[
            "user",
            "group",
            "uid",
            "gid",
            "unit",
            "role-aliases",
            "publish",
            "subscribe",
            "tokens",
            "token-file",
        ],
    ),
    table(
        "credentials-file",
        true,
        &["path", "role-alias", "owner", "group", "format"],
    ),
    table(
        "mqtt",
        false,
        &[
            "keep-alive",
            "session-expiry",
            "presence-topic",
            "report-interval",
            "publish-rate",
            "outbox-max-bytes",
            "outbox-max-messages",
            "outbox-max-age",
            "outbox-when-full",
            "inbox-max-bytes",
            "inbox-max-messages",
        ],
    ),
    table("loopback", false, &["listen"]),
    table("local-mqtt", false, &["socket", "listen"]),
    table(
        "enrolment",
        false,
        &["method", "rotation-jobs", "renew-key", "est", "claim"],
    ),
    table(
        "enrolment.est",
        false,
        &[
            "url",
            "server-ca",
            "user",
            "secret-file",
            "bootstrap-certificate",
            "bootstrap-key",
        ],
    ),
    table(
        "enrolment.claim",
        false,
        &["template", "certificate", "key", "key-file", "parameters"],
    ),
    table(
        "network",
        false,
        &["proxy", "proxy-user", "proxy-secret-file", "no-proxy"],
    ),
];

/// Words that the keys of other programs consist of, and that someone may try here.
const OTHER_WORDS: [&str; 38] = [
    "account",
    "address",
    "alias",
    "broker",
    "cert",
    "client",
    "days",
    "device",
    "enabled",
    "enrolment",
    "host",
    "id",
    "interval",
    "key",
    "label",
    "level",
    "limit",
    "log",
    "method",
    "pass",
    "password",
    "path",
    "pin",
    "port",
    "private",
    "profile",
    "public",
    "qos",
    "region",
    "retry",
    "role",
    "secret",
    "size",
    "slot",
    "timeout",
    "tls",
    "type",
    "url",
];

/// The unit and the range of each key whose value is a number.
const NUMBERS: [(&str, &str); 7] = [
    ("uid", "a user ID: 0 to 4294967294"),
    ("gid", "a group ID: 0 to 4294967294"),
    ("publish-rate", "messages a second: 1 to 10000"),
    ("outbox-max-bytes", "bytes: 262144 (256 KiB) to 68719476736 (64 GiB)"),
    ("inbox-max-bytes", "bytes: 262144 (256 KiB) to 68719476736 (64 GiB)"),
    ("outbox-max-messages", "messages: 1 to 100000000"),
    ("inbox-max-messages", "messages: 1 to 100000000"),
];

/// Returns the unit and the range of a key whose value is a number.
pub(super) fn find_range(key: &str) -> Option<&'static str> {
    NUMBERS.iter().find(|(name, _)| *name == key).map(|(_, range)| *range)
}

/// Finds the table with the name in a header.
pub(super) fn find_table(name: &str) -> Option<&'static KnownTable> {
    TABLES.iter().find(|table| table.name == name)
}

/// Returns whether a name consists of words that occur in keys, or of similar ones. Any other name may be a misplaced secret, even if it
/// has only lower-case letters.
pub(super) fn is_safe_to_show(name: &str) -> bool {
    let known = || {
        let keys = TABLES.iter().flat_map(|table| table.keys.iter().chain([&table.name]));
        keys.flat_map(|key| key.split(['-', '.'])).chain(OTHER_WORDS)
    };
    let is_word = |word: &str| known().any(|known| known == word || is_near(known, word));
    let consists_of_words = |name: &str| !name.is_empty() && name.split(['-', '.']).all(is_word);
    consists_of_words(&to_kebab_case(name)) || consists_of_words(&normalize(name))
}

/// Suggests the key or the table that `name` was meant to be, in a place where one of `expected` belongs.
pub(super) fn suggest(name: &str, expected: &[&str]) -> Option<String> {
    let near = |known: &&&str| {
        normalize(known) == normalize(name)
            || is_near(&normalize(known), &normalize(name))
            || is_near(known, &to_kebab_case(name))
    };
    if let Some(known) = expected.iter().find(near) {
        let is_list = find_table(known).is_some_and(|table| table.is_list);
        return Some(match is_list {
            true => format!("did you mean [[{known}]]?"),
            false => format!("did you mean `{known}`?"),
        });
    }
    let has_it = |table: &&KnownTable| table.keys.iter().any(|key| normalize(key) == normalize(name));
    let table = TABLES.iter().find(has_it)?;
    Some(match table.is_list {
        true => format!("it belongs in [[{}]]", table.name),
        false => format!("it belongs in [{}]", table.name),
    })
}

/// Converts a name to lower case with hyphens.
fn to_kebab_case(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('_', "-")
}

/// Converts a name to kebab case and removes the ending of a plural.
fn normalize(name: &str) -> String {
    let name = to_kebab_case(name);
    match name
        .strip_suffix("es")
        .filter(|rest| rest.ends_with('s'))
        .or(name.strip_suffix('s'))
    {
        Some(rest) if rest.len() > 2 && !name.ends_with("ss") => rest.to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests;
