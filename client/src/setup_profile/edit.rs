//! Edits the text of an AWS configuration or credentials file. Everything else in it stays unchanged, byte for byte.

use crate::aws_files::{CREDENTIAL_SETTINGS, Kind};

/// Returns the text with these settings in this profile. The profile's other settings stay unchanged, and so do settings that are already
/// right.
///
/// # Errors
/// With the reason, if the profile exists twice or gets its credentials elsewhere.
pub(super) fn with_profile(
    text: &str,
    kind: Kind,
    profile: &str,
    settings: &[(&str, String)],
) -> Result<String, String> {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let sections: Vec<usize> = positions(&lines, |line| {
        header(line).is_some_and(|name| is_profile(name, kind, profile))
    });
    let [start] = sections[..] else {
        return match sections.len() {
            0 => Ok(with_section(text, line_end, kind, profile, settings)),
            _ => Err(format!("profile {profile} is in it {} times", sections.len())),
        };
    };
    let first = start + 1;
    let mut length = lines
        .iter()
        .skip(first)
        .take_while(|line| header(line).is_none())
        .count();
    for (name, _) in lines.iter().skip(first).take(length).filter_map(|line| setting(line)) {
        if name != "credential_process" && CREDENTIAL_SETTINGS.contains(&name.as_str()) {
            return Err(format!(
                "profile {profile} has {name}, and so gets its credentials elsewhere"
            ));
        }
    }
    for (name, value) in settings {
        let wanted = format!("{name} = {value}{line_end}");
        let mut section = lines.iter_mut().skip(first).take(length);
        let known = section.find(|line| setting(line).is_some_and(|(known, _)| known == *name));
        match known {
            Some(line) if setting(line).is_some_and(|(_, known)| known == *value) => {}
            Some(line) => *line = wanted,
            // Insert at the section's beginning, where it cannot be taken for a continuation of another setting.
            None => {
                if let Some(line) = lines.get_mut(start)
                    && !line.ends_with('\n')
                {
                    line.push_str(line_end);
                }
                lines.insert(first, wanted);
                length += 1;
            }
        }
    }
    Ok(lines.concat())
}

fn with_section(text: &str, line_end: &str, kind: Kind, profile: &str, settings: &[(&str, String)]) -> String {
    let mut whole = text.to_owned();
    if !whole.is_empty() {
        if !whole.ends_with('\n') {
            whole.push_str(line_end);
        }
        whole.push_str(line_end);
    }
    // A name with spaces is quoted (AWS SDKs and tools reference, "shared config and credentials files").
    let header = match profile {
        name if kind == Kind::Credentials => format!("[{name}]"),
        "default" => "[default]".to_owned(),
        name if name.contains(char::is_whitespace) => format!("[profile \"{name}\"]"),
        name => format!("[profile {name}]"),
    };
    whole.push_str(&format!("{header}{line_end}"));
    for (name, value) in settings {
        whole.push_str(&format!("{name} = {value}{line_end}"));
    }
    whole
}

fn positions(lines: &[String], wanted: impl Fn(&str) -> bool) -> Vec<usize> {
    let numbered = lines.iter().enumerate();
    numbered
        .filter(|(_, line)| wanted(line))
        .map(|(number, _)| number)
        .collect()
}

/// Returns the text between the brackets of a section's header.
fn header(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    Some(name.trim())
}

fn is_profile(header: &str, kind: Kind, profile: &str) -> bool {
    if kind == Kind::Credentials {
        return header == profile;
    }
    if profile == "default" && header == "default" {
        return true;
    }
    let named = header
        .strip_prefix("profile")
        .filter(|rest| rest.starts_with(char::is_whitespace));
    named.is_some_and(|name| name.trim().trim_matches('"') == profile)
}

/// Splits a setting into name and value. Lines that begin with a space belong to the setting above (nested settings).
fn setting(line: &str) -> Option<(String, &str)> {
    if line.starts_with([' ', '\t', '#', ';']) {
        return None;
    }
    let (name, value) = line.split_once('=')?;
    Some((name.trim().to_ascii_lowercase(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: &str = "/usr/bin/gatepost credentials telemetry";

    fn settings() -> Vec<(&'static str, String)> {
        vec![
            ("credential_process", PROCESS.to_owned()),
            ("region", "us-east-2".to_owned()),
        ]
    }

    #[test]
    fn nothing_else_changes() {
        let line = format!("credential_process = {PROCESS}\n");
        let region = "region = us-east-2\n";
        let section = format!("[profile telemetry]\n{line}{region}");
        for (before, after) in [
            (String::new(), section.clone()),
            ("[default]\nregion=x".to_owned(), format!("[default]\nregion=x\n\n{section}")),
            (section.clone(), section.clone()),
            (
                "[profile telemetry]\n# mine\nregion = eu-west-1\ns3 =\n  region = us-east-2\n\n[profile b]\nregion=c\n".to_owned(),
                format!("[profile telemetry]\n{line}# mine\n{region}s3 =\n  region = us-east-2\n\n[profile b]\nregion=c\n"),
            ),
            (
                format!("[profile \"telemetry\"]\nCredential_Process=old\n{region}output = json\n"),
                format!("[profile \"telemetry\"]\n{line}{region}output = json\n"),
            ),
            ("[profile telemetry]".to_owned(), format!("[profile telemetry]\n{region}{line}")),
            ("# only a remark\r\n".to_owned(), format!("# only a remark\r\n\r\n{}", section.replace('\n', "\r\n"))),
        ] {
            let edited = with_profile(&before, Kind::Config, "telemetry", &settings()).unwrap();
            assert_eq!(edited, after, "{before:?}");
            assert_eq!(with_profile(&edited, Kind::Config, "telemetry", &settings()).unwrap(), edited, "again");
        }
        assert!(
            with_profile("", Kind::Config, "default", &settings())
                .unwrap()
                .starts_with("[default]\n")
        );
        assert!(
            with_profile("", Kind::Config, "a b", &settings())
                .unwrap()
                .starts_with("[profile \"a b\"]\n")
        );
    }

    #[test]
    fn a_profile_with_other_credentials_is_left_alone() {
        for (before, why) in [
            ("[profile telemetry]\nrole_arn = x\n", "role_arn"),
            ("[profile telemetry]\n[profile b]\n[profile telemetry]\n", "2 times"),
        ] {
            let error = with_profile(before, Kind::Config, "telemetry", &settings()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_profile_of_the_credentials_file_has_no_prefix() {
        let line = format!("credential_process = {PROCESS}\n");
        let region = "region = us-east-2\n";
        for (before, after) in [
            ("", format!("[telemetry]\n{line}{region}")),
            (
                "[default]\nregion = x\n",
                format!("[default]\nregion = x\n\n[telemetry]\n{line}{region}"),
            ),
            (
                "[telemetry]\nregion = us-east-2\n",
                format!("[telemetry]\n{line}{region}"),
            ),
            (
                "[profile telemetry]\n",
                format!("[profile telemetry]\n\n[telemetry]\n{line}{region}"),
            ),
        ] {
            let edited = with_profile(before, Kind::Credentials, "telemetry", &settings()).unwrap();
            assert_eq!(edited, after, "{before:?}");
        }
        let keys = "[telemetry]\naws_access_key_id = A\n";
        let error = with_profile(keys, Kind::Credentials, "telemetry", &settings()).unwrap_err();
        assert!(error.contains("aws_access_key_id"), "{error}");
    }
}
