//! Lets the reader of a file that gatepost has written read it: a token file or a credentials file.

mod acl;

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt, fchown};

use crate::local::access::TokenReader;

/// Makes the reader the file's owner, which needs a privilege, or gives it read access by an access control list.
///
/// # Errors
/// When neither is possible: the file system may have no access control lists.
pub fn grant_read(file: &File, reader: TokenReader) -> io::Result<()> {
    let chowned = match reader {
        TokenReader::Nobody => return Ok(()),
        TokenReader::User(uid) if uid == rustix::process::geteuid().as_raw() => return Ok(()),
        TokenReader::User(uid) => fchown(file, Some(uid), None),
        TokenReader::Group(gid) => {
            fchown(file, None, Some(gid)).and_then(|()| file.set_permissions(Permissions::from_mode(0o440)))
        }
    };
    match chowned {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => acl::grant_read(file, reader),
        chowned => chowned,
    }
}
