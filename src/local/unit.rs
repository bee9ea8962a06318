//! The systemd unit that a caller runs in, from its control group.
//!
//! A process ID is only a number: its process may have ended and another one may have it by now. So the process is held
//! by a pidfd while its control group is read, and what was read counts only if the process is still there afterwards.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The unit of the process `pid` of user `uid` at the other end of `stream`.
pub fn of(stream: &impl AsFd, pid: i32, uid: u32) -> Option<String> {
    let process = match getsockopt(stream, sockopt::PeerPidfd) {
        Ok(process) => process,
        Err(error) => instead(error, pid, uid)?,
    };
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    is_alive(&process).then(|| unit_in(&cgroup))?
}

/// Whether the kernel holds the process at the other end of a socket for us (SO_PEERPIDFD, since Linux 6.5). Where it does not,
/// the process must be taken by its number the moment it is let in.
pub fn is_held_by_socket() -> bool {
    static HELD: OnceLock<bool> = OnceLock::new();
    *HELD.get_or_init(|| match UnixStream::pair() {
        Ok((one, _other)) => !matches!(getsockopt(&one, sockopt::PeerPidfd), Err(Errno::ENOPROTOOPT)),
        Err(_) => false,
    })
}

/// The process where the kernel gives no pidfd. Only a kernel that does not know the question may be answered by the number:
/// any other error (the process has ended, no descriptor is left) would let a number stand for a process that is not there.
fn instead(error: Errno, pid: i32, uid: u32) -> Option<OwnedFd> {
    matches!(error, Errno::ENOPROTOOPT).then(|| held_by_number(pid, uid))?
}

/// For kernels before 6.5, which have no SO_PEERPIDFD. Between connecting and this moment the number can have passed to
/// another process; one of another user is told apart, and one of the same user could as well have asked itself.
fn held_by_number(pid: i32, uid: u32) -> Option<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let owner = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    (owner == uid).then_some(process)
}

/// A pidfd becomes readable when its process ends (pidfd_open(2)).
fn is_alive(process: &OwnedFd) -> bool {
    let mut ends = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    poll(&mut ends, PollTimeout::ZERO) == Ok(0)
}

/// The unit in what /proc/PID/cgroup says: the first name below the slices. What a unit or a user's own service manager
/// makes below that is theirs to name, and so says nothing.
fn unit_in(cgroup: &str) -> Option<String> {
    // The unified hierarchy (cgroups(7)), or systemd's own of the old ones.
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
    // A name that would mean something to the kernel has an underscore before it (systemd: "Control Group APIs").
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
            assert_eq!(unit_in(cgroup).as_deref(), unit, "{cgroup}");
        }
    }

    #[test]
    fn only_an_old_kernel_is_answered_by_the_number() {
        let own = rustix::process::getuid().as_raw();
        let pid = std::process::id().cast_signed();
        assert!(instead(Errno::ENOPROTOOPT, pid, own).is_some());
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
            assert!(instead(error, pid, own).is_none(), "{error}");
        }
    }

    #[test]
    fn a_process_that_has_ended_has_no_unit() {
        let own = rustix::process::getuid().as_raw();
        let mut process = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = process.id().cast_signed();
        let held = held_by_number(pid, own).unwrap();
        assert!(is_alive(&held));
        assert!(
            held_by_number(pid, own + 1).is_none(),
            "another user's process took the number"
        );
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(!is_alive(&held), "whoever has the number now is somebody else");
        assert!(held_by_number(pid, own).is_none());
        let (stream, _other) = UnixStream::pair().unwrap();
        assert_eq!(of(&stream, pid, own), None);
    }
}
