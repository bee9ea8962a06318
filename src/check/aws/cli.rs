//! The AWS CLI that a user has: its version, and what it cannot do.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::executables::is_executable;
use crate::problem::Problem;
use crate::service::Account;

/// Where a login shell and services of Debian look, apart from the user's own folders.
const SYSTEM_PATH: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];
const OWN_PATH: [&str; 2] = [".local/bin", "bin"];
/// Python starts slowly from an SD card.
const TIME_LIMIT: Duration = Duration::from_secs(20);
const LONGEST_ANSWER: u64 = 1024;

/// A version of the AWS CLI.
type Version = (u32, u32, u32);

/// The first version with credential_process: botocore 1.8.0.
const FIRST_PROCESS: Version = (1, 12, 0);
/// The first versions with a token file (AWS's list for EKS Pod Identities).
const FIRST_TOKEN_FILE: [Version; 2] = [(1, 30, 0), (2, 15, 0)];

/// Returns the path of the AWS CLI that programs of the user find. Must run as the user.
pub fn find(home: &Path) -> Option<PathBuf> {
    let own = OWN_PATH.iter().map(|folder| home.join(folder));
    let folders = own.chain(SYSTEM_PATH.iter().map(PathBuf::from));
    folders
        .map(|folder| folder.join("aws"))
        .find(|path| is_executable(path))
}

/// Returns a sentence about the AWS CLI at `path`, or a problem.
pub fn judge(path: &Path, account: Option<&Account>, has_loopback: bool) -> Result<String, Problem> {
    let Some(version) = run(path, account).as_deref().and_then(parse) else {
        let message = format!(
            "{} does not print its version within {} s",
            path.display(),
            TIME_LIMIT.as_secs()
        );
        return Err(Problem::configuration(message).next("run it with --version as this user"));
    };
    judge_version(path, version, has_loopback)
}

fn judge_version(path: &Path, version: Version, has_loopback: bool) -> Result<String, Problem> {
    let (major, minor, patch) = version;
    let name = format!("{}, version {major}.{minor}.{patch}", path.display());
    if version < FIRST_PROCESS {
        let message = format!("{name}, is too old for a profile with credential_process");
        return Err(Problem::configuration(message).next("install version 1.12.0 or newer"));
    }
    let is_old = match FIRST_TOKEN_FILE.iter().find(|(first, _, _)| *first == major) {
        Some(first) => version < *first,
        None => false,
    };
    match is_old {
        true if has_loopback => {
            let message = format!("{name}, does not support the token file of the loopback listener");
            Err(Problem::configuration(message)
                .next("give it the token: eval \"$(gatepost env ALIAS --token)\", or use a profile"))
        }
        true => Ok(format!(
            "{name}: supports profiles, but not the token file of the loopback listener"
        )),
        false => Ok(format!("{name}: supports profiles and the loopback listener")),
    }
}

/// Runs `aws --version` as the user, in a session of its own so that it cannot write into this terminal.
fn run(path: &Path, account: Option<&Account>) -> Option<String> {
    let mut command = Command::new("setsid");
    command
        .arg(path)
        .arg("--version")
        .env_clear()
        .env("PATH", SYSTEM_PATH.join(":"));
    if let Some(account) = account {
        account.prepare_command(&mut command);
    }
    // Old versions print to standard error.
    let (output, input) = io::pipe().ok()?;
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(input.try_clone().ok()?)
        .stderr(input);
    let mut child = command.spawn().ok()?;
    // Its own ends of the pipe are closed, so that the output ends with the program.
    drop(command);
    let (sender, receiver) = mpsc::channel();
    // The thread ends with this process, if the program never closes its output.
    thread::spawn(move || {
        let mut text = Vec::new();
        let read = output.take(LONGEST_ANSWER).read_to_end(&mut text);
        // Nobody may be waiting any more.
        let _ = sender.send(read.map(|_| String::from_utf8_lossy(&text).into_owned()));
    });
    let answer = receiver.recv_timeout(TIME_LIMIT);
    if answer.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
    }
    // Its exit code says nothing more.
    let _ = child.wait();
    answer.ok()?.ok()
}

/// Parses `aws-cli/2.15.0 Python/3.11.6 Linux/...`.
fn parse(text: &str) -> Option<Version> {
    let version = text.split_whitespace().next()?.strip_prefix("aws-cli/")?;
    let mut parts = version.split('.').map(|part| {
        let digits = part.split(|letter: char| !letter.is_ascii_digit()).next();
        digits.unwrap_or_default().parse().ok()
    });
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_lack_something_are_told() {
        let path = Path::new("/usr/bin/aws");
        for (answer, has_loopback, words) in [
            (
                "aws-cli/1.11.190 Python/2.7.14 Linux/4.9 botocore/1.7.48",
                true,
                "is too old for a profile",
            ),
            ("aws-cli/1.12.0 Python/2.7.14", true, "give it the token"),
            ("aws-cli/1.12.0 Python/2.7.14", false, "but not the token file"),
            ("aws-cli/1.29.85 Python/3.11.6", true, "give it the token"),
            (
                "aws-cli/1.30.0 Python/3.11.6",
                true,
                "supports profiles and the loopback listener",
            ),
            (
                "aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0 source/x86_64.debian.12 prompt/off",
                true,
                "give it the token",
            ),
            (
                "aws-cli/2.15.0 Python/3.11.6",
                true,
                "supports profiles and the loopback listener",
            ),
            (
                "aws-cli/2.15.0rc1 Python/3.11.6",
                true,
                "supports profiles and the loopback listener",
            ),
            (
                "aws-cli/1.46 Python/3.11.6",
                true,
                "version 1.46.0: supports profiles and",
            ),
            ("aws-cli/3.0.0\n", true, "supports profiles and the loopback listener"),
        ] {
            let text = match judge_version(path, parse(answer).unwrap(), has_loopback) {
                Ok(text) => text,
                Err(problem) => format!("{} {}", problem.message, problem.next_step.unwrap_or_default()),
            };
            assert!(text.contains(words), "{answer}: {text}");
        }
        for answer in [
            "",
            "aws",
            "aws-cli/",
            "aws-cli/x.y.z",
            "aws-cli/99999999999.1.1",
            "s3cmd/2.3.0",
            "\u{1b}[2J",
        ] {
            assert_eq!(parse(answer), None, "{answer}");
        }
    }
}
