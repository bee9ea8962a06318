//! Removes what may be a secret from text that leaves the machine: the last defence of a support bundle, line by line.
//!
//! The daemon's own output has no secrets in it already. Redaction is for text from elsewhere: a configuration, a journal into
//! which somebody has echoed a password, an error of another program.

use crate::foreign_text;

/// Replacement for a secret.
pub const REMOVED: &str = "[removed]";
/// A name before `=` or in a JSON document, whose value is a secret. Lower case, without hyphens and underscores.
const SECRET_NAMES: [&str; 13] = [
    "pin",
    "sopin",
    "userpin",
    "pinvalue",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secretaccesskey",
    "sessiontoken",
    "token",
    "authorization",
    "accesskeyid",
];
/// AWS's access key IDs have 20 characters; those of users begin with AKIA, temporary ones with ASIA (IAM User Guide, unique
/// identifiers).
const KEY_ID_LENGTH: usize = 20;
/// AWS's secret access keys have 40 characters of base64; names and paths of this length have no digits and capitals.
const SECRET_LENGTH: usize = 40;

/// Removes secrets from the lines of a text. A PEM block is removed as a whole.
#[derive(Debug, Default)]
pub struct Redaction {
    is_in_block: bool,
}

impl Redaction {
    /// A text's lines without what may be a secret.
    pub fn of(text: &str) -> String {
        let mut redaction = Self::default();
        let lines = text.lines().filter_map(|line| redaction.line(line));
        lines.map(|line| line + "\n").collect()
    }

    /// The next line; `None` where it is the inside of a block.
    fn line(&mut self, line: &str) -> Option<String> {
        let (begins, ends) = (line.contains("-----BEGIN"), line.contains("-----END"));
        let was_in_block = self.is_in_block;
        self.is_in_block = (was_in_block || begins) && !ends;
        match (was_in_block, begins || ends) {
            (true, _) => None,
            (false, true) => Some(format!("{REMOVED} (a PEM block)")),
            (false, false) => Some(without_runs(&without_values(&without_passwords(line)))),
        }
    }
}

/// User names and passwords in addresses: `scheme://user:password@host`.
fn without_passwords(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(place) = rest.find("://") {
        let (before, after) = rest.split_at(place + 3);
        out.push_str(before);
        let end = after
            .find(|letter: char| letter.is_whitespace() || "\"'<>`".contains(letter))
            .unwrap_or(after.len());
        let (address, behind) = after.split_at(end);
        match address.rsplit_once('@') {
            Some((_, host)) => {
                out.push_str(REMOVED);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(address),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Values of names that say that they are secret: `pin=1234`, `"SecretAccessKey": "..."`.
fn without_values(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(place) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(place);
        let (sign, after) = after.split_at(1);
        out.push_str(before);
        out.push_str(sign);
        rest = after;
        let quoted = before.trim_end().ends_with(['"', '\'']);
        // A colon after a bare word begins a sentence ("token: waiting"), unless it is a header field's.
        let is_value = sign == "=" || quoted || name_before(before) == "authorization";
        if is_value && SECRET_NAMES.contains(&name_before(before).as_str()) {
            let value = after.trim_start();
            let length = value_length(value);
            if length > 0 {
                out.push_str(REMOVED);
                rest = value.get(length..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

fn name_before(text: &str) -> String {
    let text = text.trim_end().trim_end_matches(['"', '\'']);
    let is_name = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
    let reversed: String = text.chars().rev().take_while(is_name).collect();
    let name = reversed.chars().rev().filter(char::is_ascii_alphanumeric);
    name.collect::<String>().to_ascii_lowercase()
}

/// How many bytes of `text` are a value: to the end of its quotes, or of the line where it has none. None where it is a document.
fn value_length(text: &str) -> usize {
    match text.chars().next() {
        None | Some('{' | '[') => 0,
        Some(quote @ ('"' | '\'')) => {
            let inner = text.get(1..).unwrap_or_default();
            inner.find(quote).map_or(text.len(), |end| end + 2)
        }
        Some(_) => text.find(['&', ';', ',', '}']).unwrap_or(text.len()),
    }
}

/// Replaces runs of characters that look like key material by themselves.
fn without_runs(line: &str) -> String {
    let is_run = |letter: char| letter.is_ascii_alphanumeric() || "+/=_-".contains(letter);
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_run) {
        let (before, run) = rest.split_at(start);
        let end = run.find(|letter| !is_run(letter)).unwrap_or(run.len());
        let (run, behind) = run.split_at(end);
        out.push_str(before);
        out.push_str(if is_secret(run) { REMOVED } else { run });
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn is_secret(run: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| run.bytes().any(|byte| kind(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    let is_key_id = run.len() == KEY_ID_LENGTH
        && (run.starts_with("AKIA") || run.starts_with("ASIA"))
        && run
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_key_id || (run.len() >= SECRET_LENGTH && is_mixed) || foreign_text::is_key_material(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed_and_the_rest_stays() {
        for (line, expected) in [
            (
                "proxy = \"http://user:hunter2@proxy:3128\"",
                "proxy = \"http://[removed]@proxy:3128\"",
            ),
            (
                "see https://example.com/a and ftp://u:p@h",
                "see https://example.com/a and ftp://[removed]@h",
            ),
            ("http://user:p/w@d@host/x rest", "http://[removed]@host/x rest"),
            (
                "pkcs11:token=gateway;object=device?pin-value=1234",
                "pkcs11:token=[removed];object=device?pin-value=[removed]",
            ),
            (
                "curl -H 'Authorization: Basic dXNlcjpodW50ZXI='",
                "curl -H 'Authorization:[removed]",
            ),
            ("pin=74839201", "pin=[removed]"),
            ("PIN = \"correct horse\" # mine", "PIN =[removed] # mine"),
            ("user-pin: 1234", "user-pin: 1234"),
            (
                "{\"SecretAccessKey\":\"abc\",\"Expiration\":\"x\"}",
                "{\"SecretAccessKey\":[removed],\"Expiration\":\"x\"}",
            ),
            ("{\"Token\": \"abc\"", "{\"Token\":[removed]"),
            ("\"token\":{\"phase\":\"ready\"}", "\"token\":{\"phase\":\"ready\"}"),
            (
                "token: waiting: the PIN of token \"gw\" is locked",
                "token: waiting: the PIN of token \"gw\" is locked",
            ),
            ("key ASIAIOSFODNN7EXAMPLE used", "key [removed] used"),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "[removed]"),
            ("a-wJalrXUtnFEMI_K7MDENG-bPxRfiCYEXAMPLEKEY", "[removed]"),
            (
                "certificate 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "certificate 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            ),
            (
                "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
                "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
            ),
            ("", ""),
        ] {
            assert_eq!(Redaction::of(line).trim_end_matches('\n'), expected, "{line}");
        }
    }

    #[test]
    fn a_pem_block_is_removed_as_a_whole() {
        let text =
            "before\n-----BEGIN PRIVATE KEY-----\nMIGH\nabc\n-----END PRIVATE KEY-----\nafter\n-----BEGIN X-----";
        assert_eq!(
            Redaction::of(text),
            "before\n[removed] (a PEM block)\nafter\n[removed] (a PEM block)\n"
        );
        let one_line = "x -----BEGIN PRIVATE KEY-----\\nMIGH\\n-----END PRIVATE KEY-----\nafter";
        assert_eq!(Redaction::of(one_line), "[removed] (a PEM block)\nafter\n");
    }
}
