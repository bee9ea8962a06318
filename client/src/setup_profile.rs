//! `gatepost setup-profile`: a profile in an AWS configuration file whose credentials come from gatepost.

mod edit;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::command_line::{DEFAULT_SOCKET, Matches};
use crate::exit::{Exit, Failure};
use crate::output;

/// Writes the profile, and says what it did. A socket that is not the default becomes part of the profile.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let alias = matches.operand(0).map(text).transpose()?;
    let profile = match matches.value("--profile") {
        Some(profile) => text(profile)?,
        None => alias.unwrap_or("gatepost"),
    };
    let socket = (socket != Path::new(DEFAULT_SOCKET)).then_some(socket.as_os_str());
    let mut settings = vec![("credential_process", process(alias, socket)?)];
    if let Some(region) = matches.value("--region") {
        settings.push(("region", text(region)?.to_owned()));
    }
    let file = file(matches.value("--file"))?;
    let before = read(&file)?;
    let after = edit::with_profile(&before, profile, &settings).map_err(|why| {
        refused(&file, why).with_hint("choose another profile by --profile, or another file by --file")
    })?;
    let file_shown = file.display();
    if after == before {
        return output::print(
            format!("{file_shown}: profile {profile} is there already; nothing changed\n").as_bytes(),
        );
    }
    replace(&file, &after).map_err(|error| refused(&file, error.to_string()))?;
    let lines: String = settings
        .iter()
        .map(|(name, value)| format!("  {name} = {value}\n"))
        .collect();
    let done = format!(
        "{file_shown}: profile {profile} now has\n{lines}try it: aws --profile {profile} sts get-caller-identity\n"
    );
    output::print(done.as_bytes())
}

/// What stands in a line of the file: one line, and text.
fn text(word: &OsStr) -> Result<&str, Failure> {
    let fits = |text: &&str| !text.is_empty() && !text.contains(|c: char| c.is_control() || c == ']');
    word.to_str().filter(fits).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!("{word:?} cannot stand in an AWS configuration file"),
        )
    })
}

/// The command that AWS's tools run: with the whole path, as their PATH may be another.
fn process(alias: Option<&str>, socket: Option<&OsStr>) -> Result<String, Failure> {
    let own = std::env::current_exe().map_err(|error| {
        Failure::new(
            Exit::Unavailable,
            format!("where this command is cannot be found out: {error}"),
        )
    })?;
    let mut words = vec![quoted(text(own.as_os_str())?)];
    if let Some(socket) = socket {
        words.extend(["--socket".to_owned(), quoted(text(socket)?)]);
    }
    words.push("credentials".to_owned());
    words.extend(alias.map(quoted));
    Ok(words.join(" "))
}

/// As a shell would want it, which is how the AWS CLI and the SDKs take the line apart.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=,@+:".contains(c);
    match word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// AWS_CONFIG_FILE, else ~/.aws/config (AWS CLI user guide, "Configuration and credential file settings"). Where a link
/// leads is what is written.
fn file(given: Option<&OsStr>) -> Result<PathBuf, Failure> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let path = given
        .map(PathBuf::from)
        .or_else(|| variable("AWS_CONFIG_FILE").map(PathBuf::from))
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".aws/config")))
        .ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "neither HOME nor AWS_CONFIG_FILE is set: name the file by --file",
            )
        })?;
    Ok(fs::canonicalize(&path).unwrap_or(path))
}

fn read(file: &Path) -> Result<String, Failure> {
    match fs::read(file) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| refused(file, "it is not UTF-8")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(refused(file, error.to_string())),
    }
}

fn refused(file: &Path, why: impl Into<String>) -> Failure {
    Failure::new(
        Exit::Attention,
        format!("{}: {}; nothing changed", file.display(), why.into()),
    )
}

/// Whole or not at all, with the owner and the mode of the file before.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".gatepost-{}", std::process::id()));
    let new = folder.join(name);
    let written = write(&new, file, text).and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        // It may not have come to be.
        let _ = fs::remove_file(&new);
    }
    written?;
    File::open(folder)?.sync_all()
}

fn write(new: &Path, like: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    if let Ok(before) = fs::metadata(like) {
        std::os::unix::fs::fchown(&file, Some(before.uid()), Some(before.gid()))?;
        file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o7777))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
