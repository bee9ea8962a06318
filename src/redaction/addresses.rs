//! User names and passwords in addresses: `scheme://user:password@host`, and `user:password@host`.

use super::value::REMOVED;

/// Words before a colon that are not user names.
const NO_USERS: [&str; 8] = ["mailto", "sip", "sips", "xmpp", "acct", "ssh", "arn", "pkcs11"];
/// Characters that end an address.
const ENDS: &str = "\"'<>`";

/// Removes user names and passwords from the addresses in a line.
pub(super) fn remove(line: &str) -> String {
    let is_end = |letter: char| letter.is_whitespace() || ENDS.contains(letter);
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(is_end).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        out.push_str(&without_password(word));
        let mut letters = behind.chars();
        out.extend(letters.next());
        rest = letters.as_str();
    }
    out
}

fn without_password(word: &str) -> String {
    let Some((before, host)) = word.rsplit_once('@') else {
        return word.to_owned();
    };
    if let Some((scheme, _)) = before.split_once("://") {
        return format!("{scheme}://{REMOVED}@{host}");
    }
    // Skips the name in "proxy=user:password@host".
    let start = before.find('=').map_or(0, |at| at + 1);
    let (name, user_and_password) = before.split_at(start);
    match user_and_password.split_once(':') {
        Some((user, password)) if is_user(user) && is_password(user, password) && is_host(host) => {
            format!("{name}{REMOVED}@{host}")
        }
        _ => word.to_owned(),
    }
}

fn is_user(user: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || "._%+-$".contains(letter);
    !user.is_empty() && user.chars().all(is_letter) && !NO_USERS.iter().any(|word| user.eq_ignore_ascii_case(word))
}

/// Returns whether the text after a colon may be a password, rather than the rest of a time or of an IPv6 address.
fn is_password(user: &str, password: &str) -> bool {
    let is_time = user.ends_with(|letter: char| letter.is_ascii_digit())
        && password
            .chars()
            .all(|letter| letter.is_ascii_digit() || ":.Z".contains(letter))
        && (password.contains(':') || user.contains('T'));
    !password.is_empty() && !password.starts_with(':') && !is_time
}

fn is_host(host: &str) -> bool {
    // In the name of a container image the digest follows the @.
    host.starts_with(|letter: char| letter.is_alphanumeric() || letter == '[') && !host.starts_with("sha256:")
}
