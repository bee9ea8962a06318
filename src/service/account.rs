//! Accounts that a check by root becomes: the one that the service runs as, and that of a user.

use std::ffi::CString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist, setgid, setgroups, setuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::unit;
use crate::config::{Folders, STATE_FOLDER};

/// The user of the package's unit (systemd/gatepost.sysusers).
const USER: &str = "gatepost";

/// An account with all of its groups, which is not the account of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user name, or the user ID if there is no name.
    pub name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Account {
    /// Returns the owner of the state folder, or the user of the package if there is no such folder yet. `None` if this process does not
    /// run as root and so cannot switch to another user, or if the service runs as root as well.
    pub fn of_service(folders: &Folders) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let (uid, gid) = match std::fs::metadata(&folders.state) {
            Ok(state) => (Uid::from_raw(state.uid()), Gid::from_raw(state.gid())),
            // A state folder elsewhere will belong to the user who starts the daemon.
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
        // SupplementaryGroups=: only the unit makes the user a member of tss, the group of the TPM.
        groups.extend(unit::groups().iter().filter_map(|group| group_id(group)));
        Some(Self { name, uid, gid, groups })
    }

    /// Returns the account of a user, if this process is root and so can switch to it. `None` for root itself.
    pub fn of_user(user: &User) -> Option<Self> {
        if !rustix::process::geteuid().is_root() || user.uid.is_root() {
            return None;
        }
        let name = CString::new(user.name.as_str()).ok();
        let groups = name.and_then(|name| getgrouplist(&name, user.gid).ok());
        Some(Self {
            name: user.name.clone(),
            uid: user.uid,
            gid: user.gid,
            groups: groups.unwrap_or_else(|| vec![user.gid]),
        })
    }

    /// Prepares a command to run as this user, without the groups that the user has beside the first one.
    pub fn prepare_command(&self, command: &mut Command) {
        command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
    }

    /// Runs `work` as this user, on a new thread: the kernel keeps the user per thread (setresuid(2), "C library/kernel differences").
    ///
    /// # Errors
    /// When the system does not permit the switch.
    pub fn run_as<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        let groups: Vec<_> = self.groups.iter().map(|group| rustix_gid(*group)).collect();
        let (gid, uid) = (rustix_gid(self.gid), rustix::process::Uid::from_raw(self.uid.as_raw()));
        let switch_and_work = || {
            set_thread_groups(&groups)?;
            set_thread_res_gid(gid, gid, gid)?;
            set_thread_res_uid(uid, uid, uid)?;
            Ok(work())
        };
        thread::scope(|scope| {
            let worker = thread::Builder::new().spawn_scoped(scope, switch_and_work)?;
            worker.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")))
        })
    }

    /// Switches this process to the user permanently.
    ///
    /// # Errors
    /// With the reason as text.
    pub fn switch_process(&self) -> Result<(), String> {
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
