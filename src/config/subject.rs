//! Checks `[identity]`. The thing name must obey AWS's rule before a request is written.

use std::fs;

use super::findings::Findings;
use super::placeholders::check_placeholders;
use super::raw::{RawIdentity, RawSubject};
use super::thing_name::check_thing_name;
use super::values::parse_absolute_path;
use super::{Folders, IdentityConfig, Subject};
use crate::foreign_text;

/// ub-common-name of RFC 5280, appendix A.
const MAX_COMMON_NAME: usize = 64;
/// The placeholders, and the files with their values.
const PLACEHOLDERS: [(&str, &str); 2] = [
    ("{machine-id}", "/etc/machine-id"),
    ("{hostname}", "/proc/sys/kernel/hostname"),
];

/// Checks `[identity]`.
pub(super) fn check_identity(raw: RawIdentity, folders: &Folders, findings: &mut Findings) -> Option<IdentityConfig> {
    let certificate = findings
        .parse_optional("identity.certificate", raw.certificate, parse_absolute_path)
        .unwrap_or_else(|| folders.state.join("device.pem"));
    let ca_chain = findings.parse_optional("identity.ca-chain", raw.ca_chain, parse_absolute_path);
    let has_thing_name = raw.thing_name.is_some();
    let thing_name = findings.parse_optional("identity.thing-name", raw.thing_name, |name| {
        check_thing_name(name).map(|()| name.to_owned())
    });
    let subject = check_subject(raw.subject, has_thing_name, findings);
    Some(IdentityConfig {
        certificate,
        ca_chain,
        thing_name,
        assigned_name: None,
        subject: subject?,
    })
}

fn check_subject(raw: RawSubject, has_thing_name: bool, findings: &mut Findings) -> Option<Subject> {
    let common_name = raw.common_name.unwrap_or_else(|| "gw-{machine-id}".to_owned());
    let common_name = fill_in_common_name(&common_name, &PLACEHOLDERS, has_thing_name, findings);
    if let Some(country) = &raw.country
        && !(country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        findings.add_fault(
            "identity.subject.country",
            format!(
                "{} is not a two-letter country code like \"IN\"",
                foreign_text::value(country)
            ),
        );
    }
    let others = [
        ("country", raw.country),
        ("state", raw.state),
        ("locality", raw.locality),
        ("organization", raw.organization),
        ("organizational-unit", raw.organizational_unit),
        ("serial-number", raw.serial_number),
        ("dn-qualifier", raw.dn_qualifier),
    ];
    let mut attributes = Vec::new();
    for (name, value) in others {
        let Some(value) = value else { continue };
        let key = format!("identity.subject.{name}");
        if value.trim().is_empty() || value.chars().any(char::is_control) {
            findings.add_fault(&key, "is empty or has control characters");
        }
        if foreign_text::is_key_material(&value) {
            findings.add_fault(&key, "looks like key material, and the request would publish it");
        }
        attributes.push((name, value));
    }
    Some(Subject {
        common_name: common_name?,
        attributes,
    })
}

/// Replaces the placeholders in a common name and checks the result. In an image that has never run, their values may be unknown.
fn fill_in_common_name(
    pattern: &str,
    placeholders: &[(&str, &str)],
    has_thing_name: bool,
    findings: &mut Findings,
) -> Option<String> {
    const KEY: &str = "identity.subject.common-name";
    let known: Vec<&str> = placeholders.iter().map(|(word, _)| *word).collect();
    findings.check(KEY, check_placeholders(pattern, &known))?;
    let mut name = pattern.to_owned();
    let mut is_complete = true;
    for (word, file) in placeholders {
        if !name.contains(*word) {
            continue;
        }
        let found = match fs::read_to_string(file).as_deref().map(str::trim) {
            Ok("" | "uninitialized") => Err(format!("{word} needs {file}, which is empty so far")),
            Ok(value) => Ok(value.to_owned()),
            Err(error) => Err(format!("{word} needs {file}: {}", foreign_text::clean(error))),
        };
        match found {
            Ok(value) => name = name.replace(*word, &value),
            Err(why) if findings.is_only_examined() => {
                findings.add_note(KEY, format!("{why}; it is filled in when the machine runs"));
                is_complete = false;
            }
            Err(why) => {
                findings.add_fault(KEY, why);
                return None;
            }
        }
    }
    // The unknown values will consist of letters, digits and hyphens.
    let checked = match is_complete {
        true => name.clone(),
        false => placeholders
            .iter()
            .fold(name.clone(), |name, (word, _)| name.replace(*word, "x")),
    };
    let result = match has_thing_name {
        false => check_thing_name(&checked),
        true => check_common_name(&checked),
    };
    findings.check(KEY, result).map(|()| name)
}

/// Checks a common name that is not the thing name, so that any text that X.509 allows will do.
fn check_common_name(name: &str) -> Result<(), String> {
    let is_text =
        !name.trim().is_empty() && !name.chars().any(char::is_control) && !foreign_text::is_key_material(name);
    match is_text && name.chars().count() <= MAX_COMMON_NAME {
        true => Ok(()),
        false => Err(format!(
            "{} cannot be a common name: X.509 allows 1 to {MAX_COMMON_NAME} characters, and no control characters",
            foreign_text::value(name)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::merged::Sources;
    use super::*;

    /// Returns the common name, the faults and the notes.
    fn filled(
        pattern: &str,
        file: &str,
        is_only_examined: bool,
        has_thing_name: bool,
    ) -> (Option<String>, String, String) {
        let sources = Sources::new("gatepost.toml".as_ref());
        let mut findings = Findings::new(&sources, is_only_examined);
        let name = fill_in_common_name(pattern, &[("{machine-id}", file)], has_thing_name, &mut findings);
        let (faults, notes) = findings.into_parts();
        let faults: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
        (name, faults.join("\n"), notes.join("\n"))
    }

    #[test]
    fn a_machine_id_is_needed_only_where_the_machine_runs() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        let (id, empty, unset) = (
            write("id", "0123abcd\n"),
            write("empty", ""),
            write("unset", "uninitialized\n"),
        );
        let missing = folder.path().join("missing").display().to_string();
        for is_only_examined in [true, false] {
            let (name, faults, notes) = filled("gw-{machine-id}", &id, is_only_examined, false);
            assert_eq!(
                (name.as_deref(), faults.as_str(), notes.as_str()),
                (Some("gw-0123abcd"), "", "")
            );
        }
        for file in [&empty, &unset, &missing] {
            let (name, faults, notes) = filled("gw-{machine-id}", file, true, false);
            assert_eq!((name.as_deref(), faults.as_str()), (Some("gw-{machine-id}"), ""));
            assert!(notes.contains("it is filled in when the machine runs"), "{notes}");
            let (name, faults, _) = filled("gw-{machine-id}", file, false, false);
            assert!(name.is_none() && faults.contains("{machine-id} needs "), "{faults}");
        }
        // Other faults of the name are faults in an image, too.
        let (name, faults, _) = filled("gw {machine-id}", &empty, true, false);
        assert!(name.is_none() && faults.contains("cannot be a thing name"), "{faults}");
    }

    #[test]
    fn a_common_name_is_free_where_the_thing_name_is_configured() {
        for (name, is_free) in [
            ("Gateway no. 1", true),
            ("gw-1", true),
            ("", false),
            ("a\nb", false),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(filled(name, "", false, true).0.is_some(), is_free, "{name:?}");
        }
        assert!(filled("Gateway no. 1", "", false, false).0.is_none());
    }
}
