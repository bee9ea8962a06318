//! Mistakes in a user's AWS files: faults in their text, permissions, and names that nothing understands; and variables that contradict
//! each other.

use gatepost_client::aws_files::{Environment, FileContents, Found, Hint, ONE_PROFILE, Profiles, ReadFile, find_hints};

use crate::problem::Problem;

/// A file with more faults than this has one cause.
const MAX_FAULTS: usize = 3;
/// Probable mistakes beyond this are left out.
const MAX_HINTS: usize = 10;
const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
const OTHERS_READ: u32 = 0o004;

/// Returns a problem for each mistake. `uid` is the user.
pub fn problems(files: &FileContents, profiles: &Profiles, uid: u32) -> Vec<Problem> {
    let mut problems: Vec<Problem> = files
        .files()
        .into_iter()
        .filter_map(|(file, _)| unreadable(file))
        .collect();
    problems.extend(
        files
            .files()
            .into_iter()
            .filter_map(|(file, _)| permissions(file, files, uid)),
    );
    let faults = profiles.faults().iter().take(MAX_FAULTS);
    problems.extend(faults.map(|(place, fault)| {
        let message = format!("{place}: {fault}: the AWS CLI and boto3 stop there, whichever profile they are to use");
        Problem::configuration(message).next("correct the line")
    }));
    problems.extend(find_hints(files).iter().take(MAX_HINTS).map(hint));
    problems
}

/// Returns a problem if programs with these variables disagree about which profile is named.
pub fn two_profiles(environment: &Environment) -> Option<Problem> {
    let message = environment.two_profiles()?;
    Some(Problem::configuration(message).next(ONE_PROFILE))
}

fn unreadable(file: &ReadFile) -> Option<Problem> {
    let ReadFile::Unreadable { path, why } = file else {
        return None;
    };
    let message = format!(
        "{} cannot be read: {why}; the AWS CLI and boto3 continue as if it were not there",
        path.display()
    );
    Some(Problem::configuration(message).next("check it, or make it readable for this user"))
}

/// Returns a problem if others can change the file, or read keys in it.
fn permissions(file: &ReadFile, files: &FileContents, uid: u32) -> Option<Problem> {
    let ReadFile::Text { path, owner, mode, .. } = file else {
        return None;
    };
    let path_shown = path.display();
    if *owner != uid && *owner != 0 {
        let message = format!(
            "{path_shown} belongs to another user (uid {owner}), who decides what programs of this user run and use"
        );
        return Some(Problem::configuration(message).next("chown it to this user"));
    }
    if mode & GROUP_OR_OTHERS_WRITE != 0 {
        let message =
            format!("{path_shown} can be changed by others, who decide what programs of this user run and use");
        return Some(Problem::configuration(message).next("chmod go-w it"));
    }
    let sources = Found::in_files(files).sources;
    let has_keys = sources
        .iter()
        .any(|source| source.file == *path && source.setting == "aws_secret_access_key");
    if has_keys && mode & OTHERS_READ != 0 {
        let message = format!("{path_shown} has keys, and every user can read it");
        return Some(Problem::configuration(message).next("chmod 600 it, or remove the keys"));
    }
    None
}

fn hint(hint: &Hint) -> Problem {
    let (message, step) = match hint {
        Hint::NoProfile { place } => (
            format!(
                "{place}: the section is no profile, because the word profile is missing, or quotation marks around a name with blanks"
            ),
            "[profile NAME]; only [default] goes without the word".to_owned(),
        ),
        Hint::WordProfile { place } => (
            format!("{place}: in the credentials file the word profile becomes a part of the name"),
            "[NAME]".to_owned(),
        ),
        Hint::Default { place } => (
            format!("{place}: the profile of programs that name none is written in small letters"),
            "[default]".to_owned(),
        ),
        Hint::Misspelt { place, name } => (
            format!("{place}: no program knows this setting; is {name} meant?"),
            format!("write {name}, or remove the line"),
        ),
        Hint::Capitals { place, name } => (
            format!("{place}: the SDK for JavaScript does not know {name} with capitals"),
            format!("write {name}"),
        ),
    };
    Problem::configuration(message).next(step)
}
