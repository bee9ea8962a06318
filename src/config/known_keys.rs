//! The keys of the configuration: which table has which, and what somebody meant who wrote another one.
//!
//! A test compares the list with [`Raw`](super::raw::Raw).

use super::spelling::is_near;

/// A table and its keys.
pub(super) struct KnownTable {
    /// The name as it stands in the header, or the place of an inline table.
    pub(super) name: &'static str,
    /// Whether there may be several: `[[access]]`.
    pub(super) is_list: bool,
    pub(super) keys: &'static [&'static str],
}

const fn table(name: &'static str, is_list: bool, keys: &'static [&'static str]) -> KnownTable {
    KnownTable { name, is_list, keys }
}

pub(super) const TABLES: [KnownTable; 10] = [
    table("aws", false, &["mqtt-endpoint", "credentials-endpoint", "root-ca"]),
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
            "token-file",
        ],
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
    table("enrolment", false, &["method", "est"]),
    table("enrolment.est", false, &["url", "server-ca", "user", "secret-file"]),
];

/// Words of keys that other programs have, and that somebody may look for here.
const OTHER_WORDS: [&str; 40] = [
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
    "network",
    "pass",
    "password",
    "path",
    "pin",
    "port",
    "private",
    "profile",
    "proxy",
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

/// The unit and the range of a key whose value is a number.
pub(super) fn range_of(key: &str) -> Option<&'static str> {
    NUMBERS.iter().find(|(name, _)| *name == key).map(|(_, range)| *range)
}

/// The table of that name, as it stands in a header.
pub(super) fn table_named(name: &str) -> Option<&'static KnownTable> {
    TABLES.iter().find(|table| table.name == name)
}

/// Whether a name consists of words that keys have, or nearly. Any other one may be a secret in the wrong place, even if it is
/// made of small letters alone.
pub(super) fn is_harmless(name: &str) -> bool {
    let known = || {
        let keys = TABLES.iter().flat_map(|table| table.keys.iter().chain([&table.name]));
        keys.flat_map(|key| key.split(['-', '.'])).chain(OTHER_WORDS)
    };
    let is_word = |word: &str| known().any(|known| known == word || is_near(known, word));
    let consists_of_words = |name: &str| !name.is_empty() && name.split(['-', '.']).all(is_word);
    consists_of_words(&kebab(name)) || consists_of_words(&normal(name))
}

/// A guess at the key or the table that was meant by `name`, which stands where one of `expected` belongs.
pub(super) fn meant(name: &str, expected: &[&str]) -> Option<String> {
    let near = |known: &&&str| {
        normal(known) == normal(name) || is_near(&normal(known), &normal(name)) || is_near(known, &kebab(name))
    };
    if let Some(known) = expected.iter().find(near) {
        let is_list = table_named(known).is_some_and(|table| table.is_list);
        return Some(match is_list {
            true => format!("did you mean [[{known}]]?"),
            false => format!("did you mean `{known}`?"),
        });
    }
    let has_it = |table: &&KnownTable| table.keys.iter().any(|key| normal(key) == normal(name));
    let table = TABLES.iter().find(has_it)?;
    Some(match table.is_list {
        true => format!("it belongs into [[{}]]", table.name),
        false => format!("it belongs into [{}]", table.name),
    })
}

/// A name without capitals and underscores.
fn kebab(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace('_', "-")
}

/// The same without the end of a plural.
fn normal(name: &str) -> String {
    let name = kebab(name);
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
mod tests {
    use super::*;

    #[test]
    fn the_list_is_that_of_the_configuration() {
        for KnownTable { name, is_list, keys } in TABLES {
            let header = if is_list {
                format!("[[{name}]]")
            } else {
                format!("[{name}]")
            };
            let text = format!("{header}\nzzz = 1\n");
            let error = toml::from_str::<super::super::raw::Raw>(&text).unwrap_err();
            let expected: Vec<&str> = error.message().split('`').skip(3).step_by(2).collect();
            assert_eq!(expected, keys, "{name}");
            for key in keys {
                assert!(is_harmless(key), "{key}");
            }
        }
        for (key, _) in NUMBERS {
            assert!(TABLES.iter().any(|table| table.keys.contains(&key)), "{key}");
        }
    }

    #[test]
    fn words_that_no_key_has_are_not_shown() {
        for (name, shown) in [
            ("mqtt-endpiont", true),
            ("modul", true),
            ("pin", true),
            ("pin-file", true),
            ("root_ca", true),
            ("aws.root-ca", true),
            ("proxy-url", true),
            ("log-level", true),
            ("acess", true),
            ("roles", true),
            ("", false),
            ("correcthorsebatterystaple", false),
            ("correct-horse-battery", false),
            ("hunter", false),
            ("letmein", false),
            ("pin-swordfish", false),
            ("swordfish", false),
            ("qwertzuiop", false),
            ("tiger", false),
            ("mysecretpassphrase", false),
            ("geheim", false),
        ] {
            assert_eq!(is_harmless(name), shown, "{name}");
        }
    }

    #[test]
    fn what_was_meant_is_told() {
        let top: Vec<&str> = ["aws", "token", "identity", "role-alias", "access", "mqtt", "loopback"].to_vec();
        let rule = table_named("access").unwrap().keys;
        let aws = table_named("aws").unwrap().keys;
        for (name, expected, words) in [
            ("role_alias", &top[..], Some("did you mean [[role-alias]]?")),
            ("role-aliases", &top, Some("did you mean [[role-alias]]?")),
            ("acces", &top, Some("did you mean [[access]]?")),
            ("Access", &top, Some("did you mean [[access]]?")),
            ("mqqt", &top, Some("did you mean `mqtt`?")),
            ("loopbak", &top, Some("did you mean `loopback`?")),
            ("tokens", &top, Some("did you mean `token`?")),
            ("mqtt-endpoint", &top, Some("it belongs into [aws]")),
            ("role-alias", rule, Some("did you mean `role-aliases`?")),
            ("users", rule, Some("did you mean `user`?")),
            ("publich", rule, Some("did you mean `publish`?")),
            ("subscribes", rule, Some("did you mean `subscribe`?")),
            ("module", aws, Some("it belongs into [token]")),
            ("common_name", aws, Some("it belongs into [identity.subject]")),
            ("root-cas", aws, Some("did you mean `root-ca`?")),
            ("colour", aws, None),
            ("pin", aws, None),
        ] {
            assert_eq!(meant(name, expected).as_deref(), words, "{name}");
        }
    }
}
