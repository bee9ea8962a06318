//! Runs a closure as another user, like `sudo -u` without a process.

use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Returns whether this process is root and may act as other users.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Runs `act` with this user and primary group, and no other groups. In the kernel, credentials belong to a thread (setresuid(2),
/// "C library/kernel differences"), so `act` runs in a thread of its own. Descriptors that it opens can be used outside.
///
/// # Errors
/// If this process is not root's.
pub fn act_as<T: Send>(uid: u32, gid: u32, act: impl FnOnce() -> T + Send) -> Result<T> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let become_and_act = || {
        set_thread_groups(&[]).context("dropping the groups needs root")?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(act())
    };
    thread::scope(|scope| scope.spawn(become_and_act).join())
        .map_err(|_| anyhow!("the other user's thread panicked"))?
}
