//! Opens the folder of a credentials file, without following links, if no other user can replace what is in it.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fgetxattr, openat, statat};
use rustix::io::Errno;

use super::account::{Account, Reader};
use crate::foreign_text::clean;
use crate::problem::Problem;
use crate::user_accounts::name_in_message;

const ACL_ATTRIBUTE: &str = "system.posix_acl_access";
const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Opens the folder at `path` step by step. Everything in the folder must then be used relative to the returned descriptor, because
/// the path could lead elsewhere later.
///
/// # Errors
/// If a part of the path is missing, a link, or writable by users other than root, `writer`, and the members of its group. `default` is
/// the folder to suggest instead.
pub fn open(path: &Path, writer: &Account, default: &Path) -> Result<OwnedFd, Problem> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |folder: &OwnedFd, name: &OsStr| openat(folder, name, flags, Mode::empty());
    let mut here = PathBuf::from("/");
    let mut folder = openat(CWD, "/", flags, Mode::empty()).map_err(|error| unusable(&here, error, writer))?;
    let names: Vec<&OsStr> = path.components().filter_map(normal).collect();
    for (index, name) in names.iter().enumerate() {
        here.push(name);
        folder = match open(&folder, name) {
            Ok(next) => next,
            Err(Errno::NOTDIR | Errno::LOOP) if is_link(&folder, name) => return Err(link(&here)),
            Err(error) => return Err(unusable(&here, error, writer)),
        };
        let found = rustix::fs::fstat(&folder).map_err(|error| unusable(&here, error, writer))?;
        let is_last = index + 1 == names.len();
        check(&here, &found, writer, is_last, default)?;
    }
    Ok(folder)
}

/// Returns a problem if `reader` cannot enter a folder above its file, as far as owner and mode tell.
pub fn check_entry(path: &Path, reader: &Reader) -> Result<(), Problem> {
    for folder in path.ancestors() {
        let Ok(found) = statat(CWD, folder, AtFlags::SYMLINK_NOFOLLOW) else {
            return Ok(());
        };
        let may_enter = if reader.uid == Some(found.st_uid) {
            found.st_mode & 0o100 != 0
        } else if reader.gids.contains(&found.st_gid) {
            found.st_mode & 0o010 != 0
        } else {
            found.st_mode & 0o001 != 0
        };
        if !may_enter && !has_acl(folder) && reader.uid != Some(0) {
            let name = folder.display();
            let message = format!("{} cannot enter the folder {name}", reader.name);
            return Err(Problem::configuration(message).next(format!("chmod o+x {name}")));
        }
    }
    Ok(())
}

fn normal(component: Component<'_>) -> Option<&OsStr> {
    match component {
        Component::Normal(name) => Some(name),
        _ => None,
    }
}

fn is_link(folder: &OwnedFd, name: &OsStr) -> bool {
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
}

fn has_acl(folder: &Path) -> bool {
    let opened = rustix::fs::open(
        folder,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let mut nothing: [u8; 0] = [];
    // With an empty buffer the kernel returns the size.
    opened.is_ok_and(|opened| fgetxattr(&opened, ACL_ATTRIBUTE, &mut nothing).is_ok())
}

fn check(here: &Path, found: &Stat, writer: &Account, is_last: bool, default: &Path) -> Result<(), Problem> {
    let (name, owner) = (here.display(), found.st_uid);
    let elsewhere = || {
        format!(
            "choose a path in {}, and let the program's setting or a symbolic link lead there",
            default.display()
        )
    };
    if owner != 0 && owner != writer.uid {
        let message = format!(
            "the folder {name} belongs to {}, who can replace the files in it",
            name_in_message(owner)
        );
        return Err(Problem::configuration(message).next(elsewhere()));
    }
    // In a sticky folder, such as /tmp, nobody can rename what belongs to others, but anybody can take a name first.
    let is_protected = found.st_mode & STICKY != 0 && !is_last;
    let by_group = found.st_mode & GROUP_WRITE != 0 && found.st_gid != 0 && found.st_gid != writer.gid;
    let by_others = found.st_mode & OTHERS_WRITE != 0;
    if (by_group || by_others) && !is_protected {
        let who = if by_others { "every user" } else { "its group" };
        let message = format!("{who} can write into the folder {name}, and so replace the files in it");
        let step = if is_last && found.st_mode & STICKY != 0 {
            elsewhere()
        } else {
            format!("chmod go-w {name}, or {}", elsewhere())
        };
        return Err(Problem::configuration(message).next(step));
    }
    Ok(())
}

fn link(here: &Path) -> Problem {
    let message = format!("{} is a symbolic link, and gatepost follows none", here.display());
    Problem::configuration(message).next("write the path that it leads to")
}

fn unusable(here: &Path, error: Errno, writer: &Account) -> Problem {
    let name = here.display();
    match error {
        Errno::NOENT => Problem::configuration(format!("the folder {name} does not exist")).next(format!(
            "install -d -o root -g {} -m 0775 {name} (below /run it is gone after a boot: tmpfiles.d(5))",
            writer.group
        )),
        Errno::NOTDIR => Problem::configuration(format!("{name} is not a folder")).next("choose another path"),
        Errno::ACCESS => Problem::configuration(format!("{} cannot enter the folder {name}", writer.name))
            .next(format!("chmod o+x {name}")),
        error => {
            let error = std::io::Error::from(error);
            Problem::configuration(format!("the folder {name} cannot be used: {}", clean(&error)))
                .next("look at the folder and its file system")
        }
    }
}
