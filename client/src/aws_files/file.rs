//! Reads a user's file, which may be anything.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::sections::Kind;

/// No file that people write is near this.
const LARGEST_FILE: u64 = 1024 * 1024;
/// open(2): a named pipe that nobody writes to must not be waited for, and a terminal must not become this process's.
const O_NONBLOCK: i32 = 0o4000;
const O_NOCTTY: i32 = 0o400;

/// The two files of a user. They contain secrets, so that there is no `Debug`.
pub struct FileContents {
    /// The configuration file.
    pub config: ReadFile,
    /// The credentials file.
    pub credentials: ReadFile,
}

/// A file that was read.
pub enum ReadFile {
    /// There is no such file.
    Absent,
    /// It cannot be read.
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// Its content.
    Text {
        /// The path.
        path: PathBuf,
        /// The content.
        bytes: Vec<u8>,
        /// The owner's user ID.
        owner: u32,
        /// The permissions.
        mode: u32,
    },
}

impl ReadFile {
    /// Reads a file of at most a megabyte, and nothing but a regular file.
    pub fn read(path: &Path) -> Self {
        match read(path) {
            Ok((bytes, metadata)) => Self::Text {
                path: path.to_owned(),
                bytes,
                owner: metadata.uid(),
                mode: metadata.mode(),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Self::Absent,
            Err(error) => Self::Unreadable {
                path: path.to_owned(),
                why: describe(&error),
            },
        }
    }

    /// Returns the path and the content, if there is one.
    pub fn text(&self) -> Option<(&Path, &[u8])> {
        match self {
            Self::Text { path, bytes, .. } => Some((path, bytes)),
            _ => None,
        }
    }
}

impl FileContents {
    /// Returns both files, the credentials file first: programs prefer it.
    pub fn files(&self) -> [(&ReadFile, Kind); 2] {
        [(&self.credentials, Kind::Credentials), (&self.config, Kind::Config)]
    }
}

fn read(path: &Path) -> io::Result<(Vec<u8>, fs::Metadata)> {
    // Checked before opening, because opening a device may have side effects, and again, because it may have been replaced since.
    check(&fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path)?;
    let metadata = file.metadata()?;
    check(&metadata)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST_FILE {
        true => Err(io::Error::other("it is larger than a megabyte")),
        false => Ok((bytes, metadata)),
    }
}

fn check(metadata: &fs::Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a file")),
    }
}

/// Returns the cause without the system's number.
fn describe(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::NotADirectory => "a part of its path is not a folder".to_owned(),
        _ => error.to_string(),
    }
}
