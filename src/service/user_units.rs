//! The services of a user, and the environment variables that their units give them.

use std::process::{Command, Stdio};

use super::unit::words;

/// A unit and the variables of its Environment=.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitEnvironment {
    /// The name of the unit.
    pub unit: String,
    /// Names and values. The latter may be secrets.
    pub variables: Vec<(String, String)>,
}

/// Returns the loaded services that run as a user, with their Environment=. Empty if there is no systemd. A service without User= is
/// root's.
pub fn units_of(name: &str, uid: u32) -> Vec<UnitEnvironment> {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["show", "--type=service", "--property=Id,User,Environment", "*"]);
    match systemctl.stdin(Stdio::null()).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => parse(&String::from_utf8_lossy(&output.stdout), name, uid),
        _ => Vec::new(),
    }
}

/// Parses blocks of properties, which an empty line separates.
fn parse(shown: &str, name: &str, uid: u32) -> Vec<UnitEnvironment> {
    let block = |block: &str| {
        let property = |wanted: &str| {
            let mut properties = block.lines().filter_map(|line| line.split_once('='));
            properties.find_map(|(name, value)| (name == wanted).then_some(value))
        };
        let user = property("User").filter(|user| !user.is_empty()).unwrap_or("root");
        if user != name && user.parse() != Ok(uid) {
            return None;
        }
        let variables = words(property("Environment").unwrap_or_default());
        let variables = variables.iter().filter_map(|variable| variable.split_once('='));
        Some(UnitEnvironment {
            unit: property("Id")?.to_owned(),
            variables: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })
    };
    shown.split("\n\n").filter_map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_services_of_the_user_are_returned() {
        let shown = "Id=camera.service\nEnvironment=AWS_PROFILE=telemetry \"X=a b\"\nUser=camera\n\n\
                     Id=number.service\nEnvironment=\nUser=1001\n\n\
                     Id=cron.service\nEnvironment=LANG=C\nUser=\n\n\
                     Id=other.service\nEnvironment=AWS_PROFILE=x\nUser=other\n";
        let units = |name: &str, uid| -> Vec<String> {
            let units = parse(shown, name, uid).into_iter();
            units
                .map(|unit| format!("{} {:?}", unit.unit, unit.variables))
                .collect()
        };
        for (name, uid, expected) in [
            (
                "camera",
                1001,
                &[
                    r#"camera.service [("AWS_PROFILE", "telemetry"), ("X", "a b")]"#,
                    "number.service []",
                ][..],
            ),
            ("root", 0, &[r#"cron.service [("LANG", "C")]"#]),
            ("nobody", 65534, &[]),
        ] {
            assert_eq!(units(name, uid), expected, "{name}");
        }
        assert_eq!(parse("", "root", 0), []);
    }
}
