//! `gatepost setup-profile`: creates a profile in an AWS configuration or credentials file whose credentials come from gatepost.

mod alias;
mod edit;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::aws_files::{self, AwsFiles, Kind};
use crate::command_line::{DEFAULT_SOCKET, Matches};
use crate::env::shadowing_variable;
use crate::exit::{Exit, Failure};
use crate::output;

/// Writes the profile, and reports what was changed. A socket other than the default becomes part of the profile.
pub(crate) fn run(socket: &Path, matches: &Matches) -> Result<Exit, Failure> {
    let alias = matches.operand(0).map(text).transpose()?;
    let profile = match matches.value("--profile") {
        Some(profile) => text(profile)?,
        None => alias.unwrap_or("gatepost"),
    };
    alias::check(socket, alias)?;
    let socket = (socket != Path::new(DEFAULT_SOCKET)).then_some(socket.as_os_str());
    let mut settings = vec![("credential_process", process(alias, socket)?)];
    if let Some(region) = matches.value("--region") {
        settings.push(("region", text(region)?.to_owned()));
    }
    let files = AwsFiles::of_environment(aws_files::home());
    let (file, kind) = target(matches, &files)?;
    let before = read(&file)?;
    let other_way = "choose another profile by --profile, or another file by --file";
    let after = edit::with_profile(&before, kind, profile, &settings)
        .map_err(|why| refused(&file, why).with_hint(other_way))?;
    warn_of_shadows(&files, &file, kind, profile)?;
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

/// Returns the file to write, and its kind.
fn target(matches: &Matches, files: &AwsFiles) -> Result<(PathBuf, Kind), Failure> {
    let given = matches.value("--file").map(PathBuf::from);
    let is_credentials = |path: &Path| {
        let known = files.credentials.as_deref();
        known.is_some_and(|known| aws_files::is_same_file(path, known))
    };
    let kind = match given.as_deref() {
        _ if matches.flag("--credentials-file") => Kind::Credentials,
        Some(path) if is_credentials(path) => Kind::Credentials,
        _ => Kind::Config,
    };
    let usual = match kind {
        Kind::Credentials => files.credentials.clone(),
        Kind::Config => files.config.clone(),
    };
    let path = given.or(usual).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "neither HOME nor AWS_CONFIG_FILE is set: name the file by --file",
        )
    })?;
    // If the file is a link, its target is replaced.
    Ok((fs::canonicalize(&path).unwrap_or(path), kind))
}

/// Refuses a profile that gets other credentials from the other file, and warns of sources that programs in this environment prefer.
fn warn_of_shadows(files: &AwsFiles, target: &Path, kind: Kind, profile: &str) -> Result<(), Failure> {
    let found = files.sources();
    for why in &found.unread {
        output::note(&format!(
            "{why}, so whether it has other credentials for profile {profile} is not known"
        ));
    }
    let shadows = found.of(profile).find(|source| {
        let is_target = aws_files::is_same_file(&source.file, target);
        // A process in the credentials file takes precedence over one in the configuration file.
        let is_harmless = source.setting == "credential_process" && (source.is_gatepost() || kind == Kind::Credentials);
        !is_target && !is_harmless
    });
    if let Some(source) = shadows {
        let (file, line) = (source.file.display(), source.line);
        let why = format!(
            "profile {profile} would not be used: {file}, line {line}, has {} for it, which programs find first",
            source.setting
        );
        let hint = "remove it there, or choose another profile by --profile";
        return Err(refused(target, why).with_hint(hint));
    }
    if let Some(variable) = shadowing_variable(|name| std::env::var_os(name)) {
        output::note(&format!(
            "{variable} is set in this environment: programs use it, and not the profile, unless the profile is named in the program \
             or by --profile; to have the profile used: unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"
        ));
    }
    Ok(())
}

/// Checks that a word can be part of a line of the file: valid UTF-8 without line breaks.
fn text(word: &OsStr) -> Result<&str, Failure> {
    let fits = |text: &&str| !text.is_empty() && !text.contains(|c: char| c.is_control() || c == ']');
    word.to_str().filter(fits).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!("{word:?} cannot stand in an AWS configuration file"),
        )
    })
}

/// Returns the command that AWS's tools run, with its full path, because their PATH may differ.
fn process(alias: Option<&str>, socket: Option<&OsStr>) -> Result<String, Failure> {
    let own = std::env::current_exe().map_err(|error| {
        Failure::new(
            Exit::Unavailable,
            format!("the path of this command cannot be determined: {error}"),
        )
    })?;
    let mut words = vec![quoted(text(own.as_os_str())?)];
    if let Some(socket) = socket {
        // AWS's tools run the command in the folder in which they were started.
        let socket = std::path::absolute(socket).map_or_else(|_| socket.to_owned(), PathBuf::into_os_string);
        words.extend(["--socket".to_owned(), quoted(text(&socket)?)]);
    }
    if is_passing(&own) {
        output::note(&format!(
            "the profile runs {}, which may be removed one day: install the package, and run this again",
            own.display()
        ));
    }
    words.push("credentials".to_owned());
    words.extend(alias.map(quoted));
    Ok(words.join(" "))
}

/// Returns whether the program at `path` is temporary: built by cargo, or in a folder that is emptied regularly.
fn is_passing(path: &Path) -> bool {
    let names: Vec<&OsStr> = path.iter().collect();
    // The path is target/debug/gatepost or target/TRIPLE/release/gatepost.
    let mut folders = names.iter().rev().skip(1);
    let is_build = folders
        .next()
        .is_some_and(|name| *name == "debug" || *name == "release")
        && folders.take(2).any(|name| *name == "target");
    is_build
        || ["/tmp", "/var/tmp", "/dev/shm", "/run"]
            .iter()
            .any(|folder| path.starts_with(folder))
}

/// Quotes a word as for a shell, because the AWS CLI and the SDKs split the line like one.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=,@+:".contains(c);
    match word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    }
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

/// Replaces the file atomically, keeping its owner and mode.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".gatepost-{}", std::process::id()));
    let new = folder.join(name);
    let written = write(&new, file, text).and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        // The temporary file may not exist.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_program_is_distinguished_from_an_installed_one() {
        for (path, passing) in [
            ("/usr/bin/gatepost", false),
            ("/usr/local/bin/gatepost", false),
            ("/opt/gatepost/release/gatepost", false),
            ("/home/target/bin/gatepost", false),
            ("/srv/target/gatepost", false),
            ("/home/a/gatepost/target/debug/gatepost", true),
            ("/home/a/gatepost/target/release/gatepost", true),
            (
                "/home/a/gatepost/target/x86_64-unknown-linux-musl/release/gatepost",
                true,
            ),
            ("/tmp/gatepost", true),
            ("/var/tmp/x/gatepost", true),
            ("/dev/shm/gatepost", true),
            ("/run/user/1000/gatepost", true),
        ] {
            assert_eq!(is_passing(Path::new(path)), passing, "{path}");
        }
    }
}
