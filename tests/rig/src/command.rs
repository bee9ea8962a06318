//! Runs short-lived helper programs (openssl, pkcs11-tool, tpm2_ptool, ...).

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Returns a command that finds the programs of the tests ([`search_path`]).
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path()).stdin(Stdio::null());
    command
}

/// Returns the folders with the tests' programs: first the environment of `make setup-test`, because the system may have another AWS CLI,
/// and then Debian's system programs, because `/usr/sbin` is not on an ordinary user's path.
#[must_use]
pub fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let own = environment();
    let own = if own.exists() {
        format!("{}:", own.display())
    } else {
        String::new()
    };
    format!("{own}{path}:/usr/sbin:/sbin")
}

/// Returns the Python with the packages that the tests need: from the environment of `make setup-test`, else the system's.
#[must_use]
pub fn python() -> PathBuf {
    let own = environment().join("python3");
    if own.exists() { own } else { PathBuf::from("python3") }
}

fn environment() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/awscli/bin")
}

/// Compiles a C file to a program in `folder`, and returns its path.
///
/// # Errors
/// If there is no C compiler.
pub fn program(source: impl AsRef<Path>, folder: &Path) -> Result<PathBuf> {
    let source = source.as_ref();
    let program = folder.join(source.file_stem().unwrap_or_default());
    let mut compiler = command("cc");
    compiler.args(["-std=gnu11", "-O2", "-Wall", "-Werror", "-o"]);
    run(compiler.arg(&program).arg(source), "gcc")?;
    Ok(program)
}

/// Compiles a C file to a shared library in `folder`, and returns its path.
///
/// # Errors
/// If there is no C compiler.
pub fn shared_library(source: impl AsRef<Path>, folder: &Path) -> Result<PathBuf> {
    let source = source.as_ref();
    let library = folder.join(source.with_extension("so").file_name().unwrap_or_default());
    let mut compiler = command("cc");
    compiler.args([
        "-std=c11", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread", "-o",
    ]);
    run(compiler.arg(&library).arg(source), "gcc")?;
    Ok(library)
}

/// Runs `command` to its end and returns its standard output. The error names `package` if the program is missing.
///
/// # Errors
/// If the program is missing, or ends with anything but 0: then both of its outputs are in the message.
pub fn run(command: &mut Command, package: &str) -> Result<String> {
    let output = output(command, package)?;
    if !output.status.success() {
        bail!("{}", describe(command, &output));
    }
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} printed something that is not UTF-8"))
}

/// Runs `command` to its end, whatever its exit status. The error names `package` if the program is missing.
///
/// # Errors
/// If the program cannot be started.
pub fn output(command: &mut Command, package: &str) -> Result<Output> {
    command.output().map_err(|error| not_started(command, package, error))
}

/// Returns the error of a program that could not be started.
pub(crate) fn not_started(command: &Command, package: &str, error: std::io::Error) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    let missing = error.kind() == ErrorKind::NotFound;
    let error = anyhow::Error::from(error);
    if missing {
        error.context(format!(
            "{program} is missing: run `make setup-test`, or `apt-get install {package}`"
        ))
    } else {
        error.context(format!("{program} could not be started"))
    }
}

fn describe(command: &Command, output: &Output) -> String {
    format!(
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        let error = run(&mut command("no-such-program"), "some-package").unwrap_err();
        assert!(
            format!("{error:#}").contains("apt-get install some-package"),
            "{error:#}"
        );
    }

    #[test]
    fn a_failure_carries_what_the_program_said() {
        let error = run(command("sh").args(["-c", "echo out; echo err >&2; exit 3"]), "dash").unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("exit status: 3") && message.contains("out\n") && message.contains("err\n"),
            "{message}"
        );
    }
}
