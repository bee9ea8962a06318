//! Names whose values are secrets.

/// Kind of a name. It determines which values count as secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A header field, whose value is always a secret.
    Header,
    /// A password or a key.
    Password,
    /// A PIN. The word is also common in sentences.
    Pin,
    /// A token. The word also means a device, and `token=` the label of one.
    Token,
}

/// Maximum number of words of a name in [`TABLE`].
const MAX_WORDS: usize = 4;

/// The ends of names, in lower case and without separators.
const TABLE: [(&str, Kind); 33] = [
    ("authorization", Kind::Header),
    ("cookie", Kind::Header),
    ("securitytoken", Kind::Header),
    ("apikey", Kind::Header),
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("passcode", Kind::Password),
    ("passin", Kind::Password),
    ("passout", Kind::Password),
    ("storepass", Kind::Password),
    ("keypass", Kind::Password),
    ("pass", Kind::Password),
    ("pwd", Kind::Password),
    ("psk", Kind::Password),
    ("secret", Kind::Password),
    ("secretkey", Kind::Password),
    ("secretaccesskey", Kind::Password),
    ("accesskeyid", Kind::Password),
    ("privatekey", Kind::Password),
    ("xamzcredential", Kind::Password),
    ("pin", Kind::Pin),
    ("sopin", Kind::Pin),
    ("userpin", Kind::Pin),
    ("pinvalue", Kind::Pin),
    ("puk", Kind::Pin),
    ("token", Kind::Token),
    ("sessiontoken", Kind::Token),
    ("accesstoken", Kind::Token),
    ("authtoken", Kind::Token),
    ("bearer", Kind::Token),
    ("signature", Kind::Token),
    ("sig", Kind::Token),
];

/// Returns the kind of a name by its last words: `AWS_SECRET_ACCESS_KEY` names a secret, `pin-file` does not. `PGPASSWORD` has no
/// separator.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let words = words(name);
    let without_separator = ["password", "passwd", "passphrase"];
    if words
        .last()
        .is_some_and(|last| without_separator.iter().any(|end| last.ends_with(end)))
    {
        return Some(Kind::Password);
    }
    (1..=words.len().min(MAX_WORDS)).rev().find_map(|count| {
        let end: String = words.iter().skip(words.len() - count).map(String::as_str).collect();
        TABLE.iter().find(|(known, _)| *known == end).map(|(_, kind)| *kind)
    })
}

/// Splits a name at separators, and where a capital follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        let starts = !letter.is_ascii_alphanumeric() || (was_lower && letter.is_ascii_uppercase());
        if starts {
            words.push(String::new());
        }
        if letter.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(letter.to_ascii_lowercase());
        }
        was_lower = letter.is_ascii_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns whether a character may be part of a name.
pub(super) fn is_in_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_judged_by_its_last_words() {
        for (name, expected) in [
            ("pin", Some(Kind::Pin)),
            ("GATEPOST_PIN", Some(Kind::Pin)),
            ("--so-pin", Some(Kind::Pin)),
            ("token.user-pin", Some(Kind::Pin)),
            ("pin-file", None),
            ("pin_tries_left", None),
            ("spin", None),
            ("AWS_SECRET_ACCESS_KEY", Some(Kind::Password)),
            ("SecretAccessKey", Some(Kind::Password)),
            ("secretaccesskey", Some(Kind::Password)),
            ("PGPASSWORD", Some(Kind::Password)),
            ("db_password", Some(Kind::Password)),
            ("bypass", None),
            ("X-Amz-Security-Token", Some(Kind::Header)),
            ("Proxy-Authorization", Some(Kind::Header)),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", Some(Kind::Token)),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", None),
            ("key", None),
            ("", None),
            ("---", None),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }
}
