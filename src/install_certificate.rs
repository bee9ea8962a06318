//! `gatepostd --install-certificate`, which is `gatepost certificate install`: judges a certificate as the daemon will, and only
//! then puts it into its place.
//!
//! The file is replaced as a whole, with the owner of its folder, and the one before it is kept aside. The token is not touched:
//! the key is known from the signing request.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arguments::print;
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

/// Certificates have a few kilobytes, and Debian's bundle of all roots 200.
const MAX_SIZE: u64 = 1024 * 1024;
/// Suffix for the name of the file that was replaced.
const ASIDE: &str = ".previous";
/// File name that means stdin.
const STDIN: &str = "-";

/// Between two looks at a certificate that begins in a moment.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Command-line arguments of `gatepost certificate install`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallRequest {
    /// The configuration's main file; `None` for the one that the service uses.
    pub config: Option<PathBuf>,
    /// The file, or `-` for stdin.
    pub file: PathBuf,
    /// Whether the file's content is on stdin: AppArmor keeps gatepostd from the places where people have such files.
    pub from_stdin: bool,
}

/// Puts the certificate into its place.
///
/// # Errors
/// When it cannot be used, which leaves everything as it was, or its file cannot be written.
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
    let aside = place(&offered, target)?;
    print(&format!("{} is now {what}\n", target.display()))?;
    match aside {
        Some(aside) => print(&format!("the one before it is kept in {}\n", aside.display())),
        None => Ok(()),
    }
}

/// Judges the file. A certificate that begins in a moment, because the machine that signed it is a little ahead, is waited for.
fn judge(content: &[u8], name: &Path, config: &Config, key: &[u8]) -> Result<Offered, Fatal> {
    let clock = SystemClock::default();
    let mut is_told = false;
    loop {
        match Offered::judge(content, name, &config.identity, key, &clock) {
            Err(problem) if problem.remedy == Remedy::None => {
                if !std::mem::replace(&mut is_told, true) {
                    eprintln!("gatepostd: {problem}");
                }
                std::thread::sleep(LOOK_AGAIN);
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

/// The content, and the name that messages give it.
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
        Err(FileError::NotAFile) => "is no regular file; `-` reads stdin".to_owned(),
        Err(FileError::TooLarge) => "has more than 1 MiB, which no certificate has".to_owned(),
    };
    Err(refused(&Problem::configuration(format!("{} {why}", file.display()))))
}

/// The public key in the token, by the daemon's word or that of the request that it has written.
fn key(config: &Config) -> Result<Vec<u8>, Fatal> {
    let told = match socket_client::get(&socket_client::socket(&config.folders), "/v1/csr") {
        Some(Answer { status: 200, body }) => key_of_request(&body),
        _ => None,
    };
    let written = || key_of_request(&regular_file::read(&request_path(&config.folders), MAX_SIZE).ok()?);
    told.or_else(written).ok_or_else(|| {
        let message = "the key is not known yet, so no certificate can be compared with it; nothing was changed";
        let step = "start gatepostd, which makes the signing request: systemctl start gatepost; run this as root";
        Fatal::new(Exit::Unavailable, Problem::wait(message).next(step))
    })
}

/// Returns warnings about a valid certificate that may not be the intended one, each in a line.
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

/// Replaces the file; returns where the one before it is, if there was one.
fn place(offered: &Offered, target: &Path) -> Result<Option<PathBuf>, Fatal> {
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
    let aside = aside(target);
    let kept = match fs::symlink_metadata(target) {
        Ok(_) => {
            new_file::keep_aside(target, &aside).map_err(unwritable)?;
            Some(aside)
        }
        Err(_) => None,
    };
    file.replace(target).map_err(unwritable)?;
    Ok(kept)
}

fn aside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(ASIDE);
    target.with_file_name(name)
}
