//! The programs of a user that have AWS variables: services of systemd and running processes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use gatepost_client::aws_files::Environment;

use crate::foreign_text::clean;
use crate::service::units_of;

/// The kernel allows an environment of 6 MB; AWS variables beyond this are not found.
const LARGEST_ENVIRONMENT: u64 = 1024 * 1024;

/// A program, or several with the same variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramEnvironment {
    /// The program, for messages.
    pub name: String,
    /// Its variables.
    pub environment: Environment,
}

/// Returns the user's programs that have AWS variables, one for each set of them. Processes are known to root and to the user.
pub fn programs_of(user: &str, uid: u32) -> Vec<ProgramEnvironment> {
    let units = units_of(user, uid).into_iter().map(|unit| ProgramEnvironment {
        name: clean(unit.unit),
        environment: Environment::new(unit.variables),
    });
    distinct(own_environment(uid).into_iter().chain(units).chain(processes(uid)))
}

/// Returns the variables of this process, if it is the user's.
fn own_environment(uid: u32) -> Option<ProgramEnvironment> {
    let is_own = rustix::process::geteuid().as_raw() == uid;
    is_own.then(|| ProgramEnvironment {
        name: "this shell".to_owned(),
        environment: Environment::of_this_process(),
    })
}

fn processes(uid: u32) -> Vec<ProgramEnvironment> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut ids: Vec<u32> = entries
        .filter(|entry| entry.metadata().is_ok_and(|process| process.uid() == uid))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id| *id != std::process::id())
        .collect();
    ids.sort_unstable();
    ids.into_iter().filter_map(process).collect()
}

fn process(id: u32) -> Option<ProgramEnvironment> {
    let folder = Path::new("/proc").join(id.to_string());
    let mut bytes = Vec::new();
    let file = File::open(folder.join("environ")).ok()?;
    file.take(LARGEST_ENVIRONMENT).read_to_end(&mut bytes).ok()?;
    let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
    Some(ProgramEnvironment {
        name: format!("process {id} ({})", clean(name.trim_end())),
        environment: parse(&bytes),
    })
}

/// Parses environ(5): variables that end with a NUL.
fn parse(bytes: &[u8]) -> Environment {
    let text = String::from_utf8_lossy(bytes);
    Environment::new(text.split('\0').filter_map(|variable| variable.split_once('=')))
}

/// Keeps the first of those that have the same AWS variables, and none without any.
fn distinct(programs: impl Iterator<Item = ProgramEnvironment>) -> Vec<ProgramEnvironment> {
    let mut seen = BTreeSet::new();
    programs
        .filter(|program| program.environment.has_aws_variables() && seen.insert(program.environment.aws_variables()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_is_kept_for_each_set_of_variables() {
        let program = |name: &str, environ: &[u8]| ProgramEnvironment {
            name: name.to_owned(),
            environment: parse(environ),
        };
        let programs = [
            program("a", b"HOME=/home/camera\0PATH=/bin\0"),
            program("b", b"AWS_PROFILE=t\0HOME=/home/camera\0"),
            program("c", b"AWS_PROFILE=t\0HOME=/srv\0AWS_PAGER=\0"),
            program("d", b"AWS_PROFILE=u\0no variable\0=\0"),
            program("e", b"AWS_ACCESS_KEY_ID=AKIASECRET\0AWS_SECRET_ACCESS_KEY=wJaSECRET"),
            program("f", b"AWS_ACCESS_KEY_ID=AKIAOTHER\0AWS_SECRET_ACCESS_KEY=wJaOTHER"),
            program("g", b""),
        ];
        let kept = distinct(programs.into_iter());
        let names: Vec<&str> = kept.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(names, ["b", "d", "e"]);
        assert!(!format!("{kept:?}").contains("AKIA"), "{kept:?}");
    }

    #[test]
    fn a_process_of_this_user_is_found() {
        let mut sleep = std::process::Command::new("sleep");
        let mut child = sleep.arg("60").env("AWS_PROFILE", "unheard-of").spawn().unwrap();
        // Until execve(2) the child has the environment of this process.
        let found = loop {
            assert!(
                child.try_wait().unwrap().is_none(),
                "it has ended without having been found"
            );
            let found = processes(rustix::process::geteuid().as_raw());
            let of_child = |program: &&ProgramEnvironment| program.environment.get("AWS_PROFILE") == Some("unheard-of");
            if let Some(program) = found.iter().find(of_child) {
                break program.name.clone();
            }
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, format!("process {} (sleep)", child.id()));
    }
}
