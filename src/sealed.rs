//! Sealed files in memory (memfd_create(2)), which nobody can change. Secrets pass in them from one run of the daemon to the next
//! without being written to disk.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};
use rustix::io::{Errno, pread};
use zeroize::Zeroizing;

/// Maximum size of a file. A set of credentials has about 1.5 KB and a token 0.2 KB, so no configuration reaches it.
pub const MAX_SIZE: u64 = 1024 * 1024;
/// The seals that together rule out every change (memfd_create(2), "File sealing").
const SEALED: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// Creates a sealed file with `content`. The name is only shown in /proc.
///
/// # Errors
/// When the kernel does not provide such a file.
pub fn seal(name: &CStr, content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(create(name)?);
    file.write_all(content)?;
    fcntl_add_seals(&file, SEALED)?;
    Ok(file.into())
}

/// Returns the content of a file that was created by [`seal`].
///
/// # Errors
/// With the reason why the file is not such a file.
pub fn read(file: impl AsFd) -> Result<Zeroizing<Vec<u8>>, String> {
    let seals = fcntl_get_seals(&file).map_err(|_| "it is not a file in memory".to_owned())?;
    if !seals.contains(SEALED) {
        return Err("it is not sealed, so that anybody may have changed it".into());
    }
    let unreadable = |error: Errno| format!("it cannot be read: {error}");
    let size = u64::try_from(fstat(&file).map_err(unreadable)?.st_size).unwrap_or(0);
    if size > MAX_SIZE {
        return Err(format!("it has {size} bytes, and {MAX_SIZE} are allowed"));
    }
    let mut text = Zeroizing::new(vec![0; usize::try_from(size).unwrap_or(0)]);
    let mut filled = 0;
    while let Some(rest) = text.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // pread, because the file position is shared with other holders of the descriptor.
        match pread(&file, rest, filled as u64).map_err(unreadable)? {
            0 => return Err("it ends early".into()),
            count => filled += count,
        }
    }
    Ok(text)
}

/// Creates a file in memory, not executable if the kernel supports this (Linux 6.3 and later).
fn create(name: &CStr) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => Ok(memfd_create(name, flags)?),
        outcome => Ok(outcome?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_file_cannot_be_changed() {
        let file = seal(c"test", b"content").unwrap();
        assert!(fcntl_get_seals(&file).unwrap().contains(SEALED));
        assert_eq!(rustix::io::pwrite(&file, b"x", 0), Err(Errno::PERM));
        assert_eq!(rustix::fs::ftruncate(&file, 0), Err(Errno::PERM));
        assert_eq!(read(&file).unwrap().as_slice(), b"content");
    }
}
