//! Binds Unix sockets, which every user may connect to.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Binds the socket, replacing one that an earlier run left behind. The instance lock must be held, so that no other run has it.
///
/// # Errors
/// If what is there cannot be replaced, or the socket cannot be created.
pub fn replace_socket_file(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // Every user may connect: the access rules decide, so that a caller without permission gets an explanation.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Returns the next step after a socket could not be bound.
pub fn socket_step(path: &Path, error: &io::Error) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match error.kind() {
        ErrorKind::IsADirectory => format!("remove the folder {}, or give it another name", path.display()),
        ErrorKind::NotFound => format!("create the folder {folder} again: systemctl restart gatepost"),
        ErrorKind::PermissionDenied => {
            format!("give {folder} to the user of the service, or restart it: systemctl restart gatepost")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("free space: df -h {folder}; df -i {folder}"),
        ErrorKind::ReadOnlyFilesystem => format!("make the file system of {folder} writable"),
        _ => format!("look at {}, and end a program that has it (ss -xlp)", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_stale_socket_or_file_is_replaced_and_a_folder_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mqtt.sock");
        drop(replace_socket_file(&path).unwrap());
        fs::write(folder.path().join("file"), "").unwrap();
        for _ in 0..2 {
            let listener = replace_socket_file(&path).unwrap();
            UnixStream::connect(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
            drop(listener);
        }
        replace_socket_file(&folder.path().join("file")).unwrap();
        let occupied = folder.path().join("folder");
        fs::create_dir(&occupied).unwrap();
        let error = replace_socket_file(&occupied).unwrap_err();
        assert!(
            socket_step(&occupied, &error).starts_with("remove the folder "),
            "{error}"
        );
        let missing = folder.path().join("gone/mqtt.sock");
        let error = replace_socket_file(&missing).unwrap_err();
        assert!(
            socket_step(&missing, &error).starts_with("create the folder "),
            "{error}"
        );
    }

    #[test]
    fn each_cause_has_a_next_step_of_its_own() {
        for (kind, step) in [
            (ErrorKind::IsADirectory, "remove the folder /run/g/mqtt.sock"),
            (ErrorKind::NotFound, "create the folder /run/g again"),
            (ErrorKind::PermissionDenied, "give /run/g to the user of the service"),
            (ErrorKind::StorageFull, "df -h /run/g"),
            (ErrorKind::QuotaExceeded, "df -i /run/g"),
            (ErrorKind::ReadOnlyFilesystem, "of /run/g writable"),
            (ErrorKind::AddrInUse, "ss -xlp"),
            (ErrorKind::OutOfMemory, "look at /run/g/mqtt.sock"),
        ] {
            let found = socket_step(Path::new("/run/g/mqtt.sock"), &kind.into());
            assert!(found.contains(step), "{kind:?}: {found}");
        }
    }
}
