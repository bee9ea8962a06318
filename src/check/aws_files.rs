//! Check of a user's AWS files for settings that programs find before gatepost's credentials.

use std::collections::BTreeSet;
use std::path::Path;

use gatepost_client::aws_files::{AwsFiles, Found, Source};

use super::lines::AWS_FILES;
use super::report::Report;
use crate::foreign_text::clean;
use crate::problem::Problem;

/// A line for each thing that is in the way in the files of the user whose home folder this is, or of the variables
/// AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE. Only names of settings and lines are told.
pub fn check(user: &str, home: &Path, report: &mut Report) {
    let files = AwsFiles::of_environment(Some(home.to_owned()));
    let found = files.sources();
    for why in &found.unread {
        let problem = Problem::configuration(format!("{why}, so what programs find there is not known"));
        report.warn(AWS_FILES, &problem.next("look at it, or let this user read it"));
    }
    let own: BTreeSet<&str> = found
        .sources
        .iter()
        .filter(|source| source.is_gatepost)
        .map(|source| source.profile.as_str())
        .collect();
    let mut problems: Vec<Problem> = own.iter().filter_map(|profile| shadow(&found, profile)).collect();
    if !own.contains("default") {
        problems.extend(found.of("default").next().map(|source| default_profile(user, source)));
    }
    for problem in &problems {
        report.warn(AWS_FILES, problem);
    }
    if problems.is_empty() && found.unread.is_empty() {
        let profiles = match own.is_empty() {
            true => "no profile there uses gatepost".to_owned(),
            false => {
                let names: Vec<String> = own.iter().map(clean).collect();
                format!("profiles that use gatepost: {}", names.join(", "))
            }
        };
        report.ok(AWS_FILES, format!("nothing in them is in the way; {profiles}"));
    }
}

/// Returns a problem if a profile that uses gatepost has another source of credentials too.
fn shadow(found: &Found, profile: &str) -> Option<Problem> {
    let source = found.of(profile).find(|source| !source.is_gatepost)?;
    let message = format!(
        "{} has {} for profile {}, which programs find before gatepost's credential_process",
        place(source),
        source.setting,
        clean(profile)
    );
    Some(
        Problem::configuration(message)
            .next("remove it there, or give the profile another name: gatepost setup-profile --profile NAME"),
    )
}

fn default_profile(user: &str, source: &Source) -> Problem {
    let message = format!(
        "{} has {} for profile default: programs of {user} that name no profile use it, and not gatepost",
        place(source),
        source.setting
    );
    Problem::configuration(message)
        .next("remove it there, or run the programs with AWS_PROFILE and a profile of gatepost's")
}

fn place(source: &Source) -> String {
    format!("{}, line {},", source.file.display(), source.line)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_in_the_way_is_named_and_never_shown() {
        let process = "[profile t]\ncredential_process = /usr/bin/gatepost credentials t\n";
        let keys =
            |profile: &str| format!("[{profile}]\naws_access_key_id = AKIASECRET\naws_secret_access_key = wJaSECRET\n");
        for (config, credentials, words) in [
            (
                "",
                String::new(),
                "ok    AWS files  nothing in them is in the way; no profile there uses gatepost",
            ),
            (
                process,
                String::new(),
                "ok    AWS files  nothing in them is in the way; profiles that use gatepost: t",
            ),
            (process, keys("other"), "ok    AWS files"),
            (
                process,
                keys("t"),
                "credentials, line 2, has aws_access_key_id for profile t, which programs find before",
            ),
            (
                process,
                keys("default"),
                "has aws_access_key_id for profile default: programs of camera that name no profile",
            ),
            ("", keys("default"), "has aws_access_key_id for profile default"),
            (
                "[default]\nrole_arn = x\n",
                String::new(),
                "config, line 2, has role_arn for profile default",
            ),
            (
                "[default]\ncredential_process = gatepost credentials\n",
                String::new(),
                "ok    AWS files",
            ),
            (
                "[default]\ncredential_process = gatepost credentials\n",
                keys("default"),
                "for profile default, which programs find before",
            ),
            (
                "[default]\ncredential_process = other\n",
                String::new(),
                "has credential_process for profile default",
            ),
            (
                "[profile t]\ncredential_process = gatepost credentials\nsso_session = x\n",
                String::new(),
                "has sso_session for profile t",
            ),
        ] {
            let home = tempfile::tempdir().unwrap();
            fs::create_dir(home.path().join(".aws")).unwrap();
            fs::write(home.path().join(".aws/config"), config).unwrap();
            fs::write(home.path().join(".aws/credentials"), &credentials).unwrap();
            let mut report = Report::default();
            check("camera", home.path(), &mut report);
            let text = report.text();
            assert!(text.contains(words), "{config:?} {credentials:?}: {text}");
            assert!(!text.contains("SECRET"), "{text}");
        }
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".aws/credentials")).unwrap();
        let mut report = Report::default();
        check("camera", home.path(), &mut report);
        assert!(
            report.text().contains("credentials cannot be read: it is no file"),
            "{}",
            report.text()
        );
    }
}
