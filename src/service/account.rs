//! As whom the service runs.

use std::ffi::CString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist, setgid, setgroups, setuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::unit;
use crate::config::{Folders, STATE_FOLDER};

/// The user as whom the unit of the package runs (systemd/gatepost.sysusers).
const USER: &str = "gatepost";

/// Another user than this process's, with all of its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What it is called, or its number.
    pub name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Account {
    /// The owner of the state folder, or the package's user where there is no such folder yet. `None` where this process is
    /// not root's, and so can see through no other eyes, or where the service is root's as well.
    pub fn of_service(folders: &Folders) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let (uid, gid) = match std::fs::metadata(&folders.state) {
            Ok(state) => (Uid::from_raw(state.uid()), Gid::from_raw(state.gid())),
            // A folder of another place is made by whoever starts the daemon there.
            Err(_) if folders.state != Path::new(STATE_FOLDER) => return None,
            Err(_) => {
                let user = User::from_name(USER).ok().flatten()?;
                (user.uid, user.gid)
            }
        };
        if uid.is_root() {
            return None;
        }
        let user = User::from_uid(uid).ok().flatten();
        let name = user.map_or_else(|| uid.to_string(), |user| user.name);
        let known = CString::new(name.as_str())
            .ok()
            .and_then(|name| getgrouplist(&name, gid).ok());
        let mut groups = known.unwrap_or_default();
        // SupplementaryGroups=: the TPM belongs to the group tss, of which the user is no member elsewhere.
        groups.extend(unit::groups().iter().filter_map(|group| group_id(group)));
        Some(Self { name, uid, gid, groups })
    }

    /// Runs `look` as this user. The kernel keeps users by thread (setresuid(2), "C library/kernel differences"), so that a
    /// thread of its own is enough.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn look<T: Send>(&self, look: impl FnOnce() -> T + Send) -> io::Result<T> {
        let groups: Vec<_> = self.groups.iter().map(|group| rustix_gid(*group)).collect();
        let (gid, uid) = (rustix_gid(self.gid), rustix::process::Uid::from_raw(self.uid.as_raw()));
        let become_and_look = || {
            set_thread_groups(&groups)?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)?;
            Ok(look())
        };
        thread::scope(|scope| {
            let looking = thread::Builder::new().spawn_scoped(scope, become_and_look)?;
            looking.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")))
        })
    }

    /// Makes this process the user's, for good.
    ///
    /// # Errors
    /// With the reason, as words.
    pub fn become_it(&self) -> Result<(), String> {
        setgroups(&self.groups)
            .and_then(|()| setgid(self.gid))
            .and_then(|()| setuid(self.uid))
            .map_err(|error| format!("it cannot become {}, who owns the state: {error}", self.name))
    }
}

fn group_id(group: &str) -> Option<Gid> {
    let named = Group::from_name(group).ok().flatten().map(|group| group.gid);
    named.or_else(|| group.parse().ok().map(Gid::from_raw))
}

fn rustix_gid(gid: Gid) -> rustix::process::Gid {
    rustix::process::Gid::from_raw(gid.as_raw())
}
