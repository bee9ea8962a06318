//! Reads regular files up to a maximum size, without ever blocking on a pipe.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Why a file was not read.
#[derive(Debug)]
pub enum FileError {
    /// The system reports an error.
    Io(io::Error),
    /// It is a folder, a pipe, a socket or a device.
    NotAFile,
    /// It is larger than allowed.
    TooLarge,
}

/// Reads the file at `path`, which may have up to `max` bytes.
///
/// # Errors
/// When it is not a regular file, is larger, or cannot be read.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    // Checked before opening, because opening a device may have side effects.
    if !std::fs::metadata(path).map_err(FileError::Io)?.is_file() {
        return Err(FileError::NotAFile);
    }
    // The file may have been replaced since: opening a pipe would wait for a writer.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(FileError::Io)?;
    if !file.metadata().map_err(FileError::Io)?.is_file() {
        return Err(FileError::NotAFile);
    }
    let mut content = Vec::new();
    file.take(max.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(FileError::Io)?;
    match u64::try_from(content.len()).is_ok_and(|length| length <= max) {
        true => Ok(content),
        false => Err(FileError::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_up_to_the_maximum_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, bytes) in [("empty", 0), ("small", 9), ("full", 10), ("large", 11)] {
            std::fs::write(at(name), vec![b'x'; bytes]).unwrap();
        }
        std::os::unix::fs::symlink(at("small"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nothing"), at("dangling")).unwrap();
        let mode = nix::sys::stat::Mode::S_IRWXU;
        nix::unistd::mkfifo(&at("pipe"), mode).unwrap();
        std::os::unix::fs::symlink(at("pipe"), at("link to a pipe")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (path, outcome) in [
            (at("empty"), "0"),
            (at("small"), "9"),
            (at("full"), "10"),
            (at("link"), "9"),
            (at("large"), "TooLarge"),
            (at("dangling"), "NotFound"),
            (at("missing"), "NotFound"),
            (at("pipe"), "NotAFile"),
            (at("link to a pipe"), "NotAFile"),
            (at("socket"), "NotAFile"),
            (folder.path().to_owned(), "NotAFile"),
            ("/dev/zero".into(), "NotAFile"),
        ] {
            let found = match read(&path, 10) {
                Ok(content) => content.len().to_string(),
                Err(FileError::Io(error)) => format!("{:?}", error.kind()),
                Err(other) => format!("{other:?}"),
            };
            assert_eq!(found, outcome, "{}", path.display());
        }
    }
}
