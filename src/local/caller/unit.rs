//! Finds the systemd unit that a caller runs in, by its control group.
//!
//! A process ID may be reused after its process has ended. So a pidfd refers to the process while its control group is read,
//! and the result counts only if the process is still alive afterwards.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Looks up the unit of process `pid` of user `uid` at the other end of `stream`.
pub fn look_up(stream: &impl AsFd, pid: i32, uid: u32) -> Option<String> {
    let process = match getsockopt(stream, sockopt::PeerPidfd) {
        Ok(process) => process,
        Err(error) => open_on_old_kernel(error, pid, uid)?,
    };
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    is_alive(&process).then(|| parse_unit(&cgroup))?
}

/// Returns whether a socket refers to the process at its other end (SO_PEERPIDFD, since Linux 6.5). Otherwise the process must be
/// opened by its ID as soon as it has connected.
pub fn socket_holds_process() -> bool {
    static HELD: OnceLock<bool> = OnceLock::new();
    *HELD.get_or_init(|| match UnixStream::pair() {
        Ok((one, _other)) => !matches!(getsockopt(&one, sockopt::PeerPidfd), Err(Errno::ENOPROTOOPT)),
        Err(_) => false,
    })
}

/// Opens the process by its ID if the kernel has no SO_PEERPIDFD. After any other error (the process has ended, no descriptor is
/// left) the ID may belong to another process.
fn open_on_old_kernel(error: Errno, pid: i32, uid: u32) -> Option<OwnedFd> {
    matches!(error, Errno::ENOPROTOOPT).then(|| open_by_id(pid, uid))?
}

/// Opens the process by its ID. Since it connected, the ID may have passed to another process. One of another user is detected, and
/// one of the same user could have connected itself.
fn open_by_id(pid: i32, uid: u32) -> Option<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let owner = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    (owner == uid).then_some(process)
}

/// Returns whether the process is alive. A pidfd becomes readable when its process ends (pidfd_open(2)).
fn is_alive(process: &OwnedFd) -> bool {
    let mut ends = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut ends, PollTimeout::ZERO) == Ok(0)
}

/// Parses the unit from /proc/PID/cgroup: the first name below the slices. Names below that are chosen by the unit or by a user's
/// service manager, and so prove nothing.
fn parse_unit(cgroup: &str) -> Option<String> {
    // The unified hierarchy (cgroups(7)), or systemd's own hierarchy of version 1.
    let path = cgroup
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .filter(|path| *path != "/")
        .or_else(|| {
            cgroup
                .lines()
                .find_map(|line| line.split_once(":name=systemd:").map(|(_, path)| path))
        })?;
    let name = path
        .strip_prefix('/')?
        .split('/')
        .find(|name| !name.ends_with(".slice"))?;
    // A name that would collide with a kernel file gets an underscore as prefix (systemd: "Control Group APIs").
    let name = name.strip_prefix('_').unwrap_or(name);
    (name.ends_with(".service") || name.ends_with(".scope")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_unit_is_the_first_name_below_the_slices() {
        for (cgroup, unit) in [
            ("0::/system.slice/camera.service\n", Some("camera.service")),
            (
                "0::/system.slice/system-app.slice/app@1.service\n",
                Some("app@1.service"),
            ),
            ("0::/system.slice/docker-4f2.scope/sub\n", Some("docker-4f2.scope")),
            ("0::/system.slice/_cpu.service\n", Some("cpu.service")),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/camera.service\n",
                Some("user@1000.service"),
            ),
            (
                "0::/user.slice/user-1000.slice/session-3.scope\n",
                Some("session-3.scope"),
            ),
            (
                "12:pids:/x\n1:name=systemd:/system.slice/camera.service\n0::/\n",
                Some("camera.service"),
            ),
            ("0::/camera.service\n", Some("camera.service")),
            ("0::/init.scope\n", Some("init.scope")),
            ("0::/\n", None),
            ("0::/../camera.service\n", None),
            ("0::/payload/camera.service\n", None),
            ("0::/system.slice\n", None),
            ("0::/system.slice/camera.service (deleted)\n", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(parse_unit(cgroup).as_deref(), unit, "{cgroup}");
        }
    }

    #[test]
    fn only_an_old_kernel_is_answered_by_the_number() {
        let own = rustix::process::getuid().as_raw();
        let pid = std::process::id().cast_signed();
        assert!(open_on_old_kernel(Errno::ENOPROTOOPT, pid, own).is_some());
        for error in [
            Errno::ESRCH,
            Errno::EINVAL,
            Errno::EMFILE,
            Errno::ENFILE,
            Errno::ENODATA,
            Errno::EPERM,
            Errno::EACCES,
            Errno::EBADF,
            Errno::ENOTSOCK,
            Errno::ENOMEM,
            Errno::EOPNOTSUPP,
        ] {
            assert!(open_on_old_kernel(error, pid, own).is_none(), "{error}");
        }
    }

    #[test]
    fn a_process_that_has_ended_has_no_unit() {
        let own = rustix::process::getuid().as_raw();
        let mut process = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = process.id().cast_signed();
        let pidfd = open_by_id(pid, own).unwrap();
        assert!(is_alive(&pidfd));
        assert!(open_by_id(pid, own + 1).is_none(), "another user's process has the ID");
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(!is_alive(&pidfd), "the ID may belong to another process now");
        assert!(open_by_id(pid, own).is_none());
        let (stream, _other) = UnixStream::pair().unwrap();
        assert_eq!(look_up(&stream, pid, own), None);
    }
}
