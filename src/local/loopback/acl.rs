//! Lets one user or group read a file without owning it: a POSIX access control list, for a daemon that has no privileges.

use std::fs::File;
use std::io;

use rustix::fs::{XattrFlags, fsetxattr};

use super::tokens::Reader;

/// The list's extended attribute and its format, little-endian (Linux, include/uapi/linux/posix_acl_xattr.h; tags and
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

/// Lets `reader` read `file`, besides its owner.
///
/// # Errors
/// When the file system keeps no such lists.
pub fn let_read(file: &File, reader: Reader) -> io::Result<()> {
    // In the order of their tags, as the kernel wants them.
    let entries = match reader {
        Reader::User(uid) => vec![(USER, READ, uid), (GROUP_OBJ, 0, NOBODY)],
        Reader::Group(gid) => vec![(GROUP_OBJ, 0, NOBODY), (GROUP, READ, gid)],
        Reader::Nobody => return Ok(()),
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
