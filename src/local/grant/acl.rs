//! Lets one user or group read a file without owning it, by a POSIX access control list. This needs no privileges.

use std::fs::File;
use std::io;

use rustix::fs::{XattrFlags, fsetxattr};

use crate::local::access::TokenReader;

/// The extended attribute of the list, and the list's little-endian format (Linux, include/uapi/linux/posix_acl_xattr.h; tags and
/// permissions in posix_acl.h).
const ATTRIBUTE: &str = "system.posix_acl_access";
const VERSION: u32 = 2;
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
const READ: u16 = 0x04;
const NOBODY: u32 = u32::MAX;

/// Gives `reader` read access to `file`, besides its owner.
///
/// # Errors
/// If the file system does not support access control lists.
pub(super) fn grant_read(file: &File, reader: TokenReader) -> io::Result<()> {
    // The kernel requires the order of the tags.
    let entries = match reader {
        TokenReader::User(uid) => vec![(USER, READ, uid), (GROUP_OBJ, 0, NOBODY)],
        TokenReader::Group(gid) => vec![(GROUP_OBJ, 0, NOBODY), (GROUP, READ, gid)],
        TokenReader::Nobody => return Ok(()),
    };
    let first = [(USER_OBJ, READ, NOBODY)].into_iter();
    let last = [(MASK, READ, NOBODY), (OTHER, 0, NOBODY)];
    let mut list = VERSION.to_le_bytes().to_vec();
    for (tag, permissions, id) in first.chain(entries).chain(last) {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    fsetxattr(file, ATTRIBUTE, &list, XattrFlags::empty())?;
    Ok(())
}
