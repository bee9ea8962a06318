//! Shows the configuration's files to others, without comments and possible secrets.

use std::path::Path;

use toml::{Table, Value};

use super::files::read;
use crate::foreign_text::{one_line, value};
use crate::redaction::{REMOVED, Redaction};
use crate::token::KeyUri;

/// The keys whose value is a path. Some people write the PIN itself where its file's name belongs.
const PATHS: [&str; 6] = ["module", "pin-file", "certificate", "ca-chain", "root-ca", "token-file"];

/// Shows the file's keys and values, one per line. If the file is invalid, only the fault is shown, because any of its text may
/// be a secret.
pub fn show(file: &Path) -> String {
    let mut lines = Vec::new();
    match read(file) {
        Ok(table) => add_table(&table, "", &mut lines),
        Err(fault) => lines.push(format!("(its values are not shown: {})", one_line(&fault.to_string()))),
    }
    Redaction::remove_secrets(&lines.join("\n"))
}

fn add_table(table: &Table, prefix: &str, lines: &mut Vec<String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        add_value(&key, name, value, lines);
    }
}

fn add_value(key: &str, name: &str, found: &Value, lines: &mut Vec<String>) {
    match found {
        Value::Table(table) => add_table(table, key, lines),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                add_value(&format!("{key}[{index}]"), name, item, lines);
            }
        }
        Value::String(text) => lines.push(format!("{key} = {}", show_text(name, text))),
        Value::Integer(number) => lines.push(format!("{key} = {number}")),
        Value::Boolean(flag) => lines.push(format!("{key} = {flag}")),
        // No key takes such a value.
        Value::Float(_) | Value::Datetime(_) => lines.push(format!("{key} = {REMOVED}")),
    }
}

fn show_text(name: &str, text: &str) -> String {
    let is_valid = match name {
        "key" => text.parse::<KeyUri>().is_ok(),
        _ if PATHS.contains(&name) => text.starts_with('/'),
        _ => true,
    };
    match is_valid {
        true => value(text),
        false => REMOVED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_and_secrets_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gatepost.toml");
        for (content, shows, hides) in [
            (
                "[aws]\nmqtt-endpoint = \"m\" # hunter2",
                "aws.mqtt-endpoint = \"m\"",
                "hunter2",
            ),
            (
                "[token]\npin-file = \"hunter2\"",
                "token.pin-file = [removed]",
                "hunter2",
            ),
            (
                "[token]\npin-file = \"/etc/gatepost/pin\"",
                "token.pin-file = \"/etc/gatepost/pin\"",
                "hunter2",
            ),
            (
                "[token]\nkey = \"pkcs11:token=g;object=o?pin-value=hunter2\"",
                "token.key = [removed]",
                "hunter2",
            ),
            (
                "[token]\nkey = \"pkcs11:object=device\"",
                "token.key = \"pkcs11:object=device\"",
                "hunter2",
            ),
            ("[token]\npin = \"hunter2\"", "values are not shown", "hunter2"),
            ("[network]\nproxy = \"http://u:hunter2@p\"\n[x]", "", "hunter2"),
            ("hunter2", "values are not shown", "hunter2"),
            (
                "[mqtt]\npresence-topic = \"http://u:hunter2@p/x\"",
                "not shown here",
                "hunter2",
            ),
            (
                "[[access]]\nuid = 7\npublish = [\"a/#\", \"b\"]",
                "access[0].publish[1] = \"b\"",
                "hunter2",
            ),
            (
                "[[access]]\nuser = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"",
                "not shown here",
                "K7MDENG",
            ),
        ] {
            std::fs::write(&file, content).unwrap();
            let shown = show(&file);
            assert!(shown.contains(shows), "{content}: {shown}");
            assert!(!shown.contains(hides), "{content}: {shown}");
        }
    }
}
