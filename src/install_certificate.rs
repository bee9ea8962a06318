//! `gatepostd --install-certificate`, the implementation of `gatepost certificate install`: checks a certificate in the same way as
//! the daemon, and installs it if it is accepted.
//!
//! The file is replaced atomically and gets the owner of its folder; the previous one is kept under another name. The token is not
//! used: the key is known from the signing request.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check_config;
use crate::clock::{SystemClock, rfc3339};
use crate::config::{Config, DEFAULT_PATH};
use crate::foreign_text;
use crate::identity::{self, Offered, key_of_request, request_path};
use crate::new_file::{self, NewFile, Owner};
use crate::problem::{Exit, Fatal, Problem, Remedy};
use crate::regular_file::{self, FileError};
use crate::service;
use crate::socket_client::{self, Answer};
use crate::stdout::print;

/// Maximum size of a file. Certificates have a few kilobytes, and Debian's bundle of all root certificates has 200.
const MAX_SIZE: u64 = 1024 * 1024;
/// Suffix of the name under which the previous file is kept.
const PREVIOUS: &str = ".previous";
/// File name that means stdin.
const STDIN: &str = "-";

/// Interval between two checks of a certificate that is about to become valid.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Command-line arguments of `gatepost certificate install`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallRequest {
    /// Path of the configuration; `None` for the one that the service uses.
    pub config: Option<PathBuf>,
    /// Path of the certificate, or `-` for stdin.
    pub file: PathBuf,
    /// Whether the content of the file is passed on stdin. AppArmor denies gatepostd access to the folders in which users keep such
    /// files, so `gatepost` opens them.
    pub from_stdin: bool,
}

/// Installs the certificate.
///
/// # Errors
/// When the certificate is refused, or its file cannot be written. Nothing is changed then.
pub fn run(request: &InstallRequest) -> Result<(), Fatal> {
    let path = request.config.clone().or_else(service::config_path);
    let config = check_config::load_for_user(&path.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH)))?;
    let (content, name) = read(request)?;
    let key = key(&config)?;
    let offered = judge(&content, &name, &config, &key)?;
    for warning in warnings(&offered, &config) {
        eprintln!("gatepostd: warning: {warning}");
    }
    let target = &config.identity.certificate;
    let certificate = &offered.certificate;
    let what = format!(
        "certificate {} for thing {}, valid until {}",
        certificate.id,
        certificate.thing_name,
        rfc3339(certificate.not_after)
    );
    if fs::read(target).is_ok_and(|present| present == offered.pem.as_bytes()) {
        return print(&format!("nothing changed: {} is this {what}\n", target.display()));
    }
    let previous = install(&offered, target)?;
    print(&format!("{} is now {what}\n", target.display()))?;
    match previous {
        Some(previous) => print(&format!("the one before it is kept in {}\n", previous.display())),
        None => Ok(()),
    }
}

/// Checks the certificate. Waits for one that is about to become valid, because the clock of the machine that signed it is slightly
/// ahead.
fn judge(content: &[u8], name: &Path, config: &Config, key: &[u8]) -> Result<Offered, Fatal> {
    let clock = SystemClock::default();
    let mut is_announced = false;
    loop {
        match Offered::judge(content, name, &config.identity, key, &clock) {
            Err(problem) if problem.remedy == Remedy::None => {
                if !std::mem::replace(&mut is_announced, true) {
                    eprintln!("gatepostd: {problem}");
                }
                std::thread::sleep(CHECK_INTERVAL);
            }
            outcome => return outcome.map_err(|problem| refused(&problem)),
        }
    }
}

fn refused(problem: &Problem) -> Fatal {
    let step = match &problem.next_step {
        Some(step) => format!("{step}; nothing was changed"),
        None => "nothing was changed".to_owned(),
    };
    Fatal::new(Exit::Data, Problem::configuration(problem.message.as_str()).next(step))
}

/// Returns the content of the file, and its name for messages.
fn read(request: &InstallRequest) -> Result<(Vec<u8>, PathBuf), Fatal> {
    let file = &request.file;
    let is_stdin = file == Path::new(STDIN);
    if is_stdin || request.from_stdin {
        let name = if is_stdin { Path::new("what stdin gives") } else { file };
        let mut content = Vec::new();
        let read = io::stdin().lock().take(MAX_SIZE + 1).read_to_end(&mut content);
        let why = match read {
            Ok(length) if u64::try_from(length).is_ok_and(|length| length <= MAX_SIZE) => {
                return Ok((content, name.to_owned()));
            }
            Ok(_) => "it has more than 1 MiB".to_owned(),
            Err(error) => foreign_text::clean(error),
        };
        return Err(refused(&Problem::configuration(format!(
            "{} cannot be read: {why}",
            name.display()
        ))));
    }
    let why = match regular_file::read(file, MAX_SIZE) {
        Ok(content) => return Ok((content, file.to_owned())),
        Err(FileError::Io(error)) => format!("cannot be read: {}", foreign_text::clean(error)),
        Err(FileError::NotAFile) => "is not a regular file; `-` reads stdin".to_owned(),
        Err(FileError::TooLarge) => "has more than 1 MiB, which no certificate has".to_owned(),
    };
    Err(refused(&Problem::configuration(format!("{} {why}", file.display()))))
}

/// Returns the public key in the token, from the signing request that the daemon returns or has written.
fn key(config: &Config) -> Result<Vec<u8>, Fatal> {
    let from_daemon = match socket_client::get(&socket_client::socket(&config.folders), "/v1/csr") {
        Some(Answer { status: 200, body }) => key_of_request(&body),
        _ => None,
    };
    let from_file = || key_of_request(&regular_file::read(&request_path(&config.folders), MAX_SIZE).ok()?);
    from_daemon.or_else(from_file).ok_or_else(|| {
        let message = "the key is not known yet, so no certificate can be compared with it; nothing was changed";
        let step = "start gatepostd, which makes the signing request: systemctl start gatepost; run this as root";
        Fatal::new(Exit::Unavailable, Problem::wait(message).next(step))
    })
}

/// Returns warnings about a valid certificate that may not be the intended one, each as one line.
fn warnings(offered: &Offered, config: &Config) -> Vec<String> {
    let mut warnings: Vec<String> = offered.warning.iter().map(Problem::to_string).collect();
    let new = &offered.certificate.thing_name;
    if let Some(old) = identity::find_thing_name(&config.identity).filter(|old| old != new) {
        warnings.push(format!(
            "the thing name changes from {} to {}",
            foreign_text::clean(old),
            foreign_text::clean(new)
        ));
    }
    warnings.iter().map(|warning| foreign_text::one_line(warning)).collect()
}

/// Replaces the file, and returns the path of the previous one if there was one.
fn install(offered: &Offered, target: &Path) -> Result<Option<PathBuf>, Fatal> {
    let unwritable = |error: io::Error| {
        let step = match rustix::process::geteuid().is_root() {
            true => "check the folder of identity.certificate; nothing was changed",
            false => "run it as root; nothing was changed",
        };
        let message = format!("{} cannot be written: {}", target.display(), foreign_text::clean(error));
        Fatal::new(Exit::CannotCreate, Problem::configuration(message).next(step))
    };
    let folder = target.parent().unwrap_or(Path::new("/"));
    let found = fs::metadata(folder).map_err(unwritable)?;
    let owner = rustix::process::geteuid().is_root().then(|| (found.uid(), found.gid()));
    let file = NewFile::write(folder, offered.pem.as_bytes(), Owner(owner)).map_err(unwritable)?;
    let previous = previous_path(target);
    let kept = match fs::symlink_metadata(target) {
        Ok(_) => {
            new_file::keep_aside(target, &previous).map_err(unwritable)?;
            Some(previous)
        }
        Err(_) => None,
    };
    file.replace(target).map_err(unwritable)?;
    Ok(kept)
}

fn previous_path(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(PREVIOUS);
    target.with_file_name(name)
}
