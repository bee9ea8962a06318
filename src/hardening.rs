//! What the process gives up at its start, so that its memory stays its own.

use std::io;

use log::Level;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::event::{Event, journal};

/// Leaves no core dump, whatever happens: it would hold the PIN, if the crash came at login, and every caller's credentials.
///
/// Both are needed: the limit is what systemd-coredump and others look at, but the kernel itself does not apply it where
/// `core_pattern` is a pipe (core(5)). Not being dumpable also keeps other processes of the same user from reading the
/// memory by ptrace or /proc (PR_SET_DUMPABLE, prctl(2)).
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
