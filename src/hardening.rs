//! Hardening of the process: keeps its memory from other processes and from core dumps.

use std::io;

use log::Level;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::event::{Event, journal};

/// Disables core dumps, which would contain credentials, and the PIN if the process crashed during login.
///
/// Two settings are needed: systemd-coredump and others respect the resource limit, but the kernel does not apply it if
/// `core_pattern` is a pipe (core(5)). A process that is not dumpable also cannot be read by other processes of the same user through
/// ptrace or /proc (PR_SET_DUMPABLE, prctl(2)).
pub fn no_core_dumps() {
    if let Err(error) = forbid_core_dumps() {
        journal!(Level::Error, Event::CoreDumps; "a crash would leave a core dump with secrets in it: {error}");
    }
}

fn forbid_core_dumps() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
