//! Runs of characters that look like key material without any name before them.

use super::value::REMOVED;
use crate::foreign_text;

/// Length of an AWS access key ID. Those of users begin with AKIA, temporary ones with ASIA (IAM User Guide, unique identifiers).
const KEY_ID_LENGTH: usize = 20;
/// Minimum length of a run that is removed. AWS's secret access keys have 40 characters of base64; names and paths of this length
/// rarely mix digits and capitals.
const SECRET_LENGTH: usize = 40;

/// Removes such runs from a line.
pub(super) fn remove(line: &str) -> String {
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
    // A mark alone is a mention of it.
    let is_mark = ["-----BEGIN", "-----END"].contains(&run);
    is_key_id || (run.len() >= SECRET_LENGTH && is_mixed) || (!is_mark && foreign_text::is_key_material(run))
}
