//! Checks where a user's programs find credentials: by the AWS files of the user, and by the variables of the user's programs.
//!
//! The files are read as that user, so that a link to a file of root's reveals nothing. Only names and lines of settings are shown.

mod cli;
mod executables;
mod mistakes;
mod programs;
mod wording;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gatepost_client::aws_files::{AwsFiles, Environment, FileContents, Found, Profiles, has_region, resolve};
use nix::unistd::User;

use super::lines::{AWS_CLI, AWS_ENVIRONMENT, AWS_FILES};
use super::report::Report;
use crate::config::Config;
use crate::foreign_text::clean;
use crate::service::Account;
use executables::is_program;
use programs::ProgramEnvironment;
use wording::{Judgement, judge};

/// gatepost profiles beyond this are not judged one by one.
const MAX_PROFILES: usize = 50;

/// A user whose files are checked.
struct Owner<'a> {
    name: &'a str,
    uid: u32,
    home: &'a Path,
}

/// Reports what programs of `user` find.
pub fn check(user: &User, config: &Config, report: &mut Report) {
    let uid = user.uid.as_raw();
    let programs = programs::programs_of(&user.name, uid);
    let owner = Owner {
        name: &user.name,
        uid,
        home: &user.dir,
    };
    let account = Account::of_user(user);
    let mut check = || check_as_user(&owner, &programs, config, report);
    let aws = match &account {
        Some(account) => account.run_as(check).ok().flatten(),
        None => check(),
    };
    if let Some(path) = aws {
        match cli::judge(&path, account.as_ref(), config.loopback.is_some()) {
            Ok(sentence) => report.ok(AWS_CLI, sentence),
            Err(problem) => report.warn(AWS_CLI, &problem),
        }
    }
}

/// Runs as the user. Returns the path of the AWS CLI.
fn check_as_user(
    owner: &Owner<'_>,
    programs: &[ProgramEnvironment],
    config: &Config,
    report: &mut Report,
) -> Option<PathBuf> {
    // Those of the environment of this check count for the user, too: whoever runs it may name the files by them.
    let files = AwsFiles::of_environment(Some(owner.home.to_owned())).read();
    check_files(owner, &files, config, report);
    for program in programs {
        check_program(owner, program, config, report);
    }
    cli::find(owner.home)
}

/// Reports the files of a program without variables.
fn check_files(owner: &Owner<'_>, files: &FileContents, config: &Config, report: &mut Report) {
    let profiles = Profiles::new(files);
    let nothing = Environment::default();
    let found = Found::in_files(files);
    let mut problems = mistakes::problems(files, &profiles, owner.uid);
    let own: BTreeSet<&str> = found
        .sources
        .iter()
        .filter(|source| source.is_gatepost())
        .map(|source| source.profile.as_str())
        .collect();
    let mut without_region = Vec::new();
    if profiles.faults().is_empty() {
        let there: BTreeSet<&str> = profiles.names().collect();
        for profile in own.intersection(&there).take(MAX_PROFILES) {
            let outcome = resolve(&profiles, &nothing, Some(profile));
            if let Judgement::Other(mut problem) = judge(&outcome, &nothing, config, &is_program) {
                problem.message = format!("programs with profile {} {}", clean(profile), problem.message);
                problems.push(problem);
            }
            if !has_region(&profiles, &nothing, Some(profile)) {
                without_region.push(clean(profile));
            }
        }
        let outcome = resolve(&profiles, &nothing, None);
        if let Judgement::Other(mut problem) = judge(&outcome, &nothing, config, &is_program)
            && !own.contains("default")
        {
            problem.message = format!("programs of {} that name no profile {}", owner.name, problem.message);
            problems.push(problem);
        }
    }
    for problem in &problems {
        report.warn(AWS_FILES, problem);
    }
    if problems.is_empty() {
        let names: Vec<String> = own.iter().map(clean).collect();
        let mut sentence = match names.is_empty() {
            true => "nothing in them interferes; no profile there uses gatepost".to_owned(),
            false => format!(
                "nothing in them interferes; profiles that use gatepost: {}",
                names.join(", ")
            ),
        };
        if !without_region.is_empty() {
            sentence.push_str(&format!(
                "\nwithout a Region, which programs must name themselves: {}",
                without_region.join(", ")
            ));
        }
        let is_in_config = found
            .sources
            .iter()
            .any(|source| source.is_gatepost() && files.config.text().is_some_and(|(path, _)| path == source.file));
        if is_in_config {
            sentence.push_str(
                "\nGo v1 and JavaScript v2 see profiles of the configuration file only with AWS_SDK_LOAD_CONFIG=1",
            );
        }
        report.ok(AWS_FILES, sentence);
    }
}

/// Reports what a program with AWS variables finds.
fn check_program(owner: &Owner<'_>, program: &ProgramEnvironment, config: &Config, report: &mut Report) {
    let files = AwsFiles::of_program(&program.environment, Some(owner.home)).read();
    let profiles = Profiles::new(&files);
    let outcome = resolve(&profiles, &program.environment, None);
    let name = &program.name;
    match judge(&outcome, &program.environment, config, &is_program) {
        Judgement::Good(how) => {
            let region = match has_region(&profiles, &program.environment, None) {
                true => "",
                false => "; nothing names a Region for them",
            };
            report.ok(
                AWS_ENVIRONMENT,
                format!("{name}: programs with its variables {how}{region}"),
            );
        }
        Judgement::Nothing => report.ok(
            AWS_ENVIRONMENT,
            format!("{name}: programs with its variables find no credentials unless they name a profile"),
        ),
        Judgement::Other(mut problem) => {
            problem.message = format!("{name}: programs with its variables {}", problem.message);
            report.warn(AWS_ENVIRONMENT, &problem);
        }
    }
    if let Some(mut problem) = mistakes::two_profiles(&program.environment) {
        problem.message = format!("{name}: {}", problem.message);
        report.warn(AWS_ENVIRONMENT, &problem);
    }
}

#[cfg(test)]
mod tests;
