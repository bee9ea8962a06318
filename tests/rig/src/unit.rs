//! A control group like the one of a systemd unit, so that processes in it count as that unit's. It needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// The control group of a unit. It is removed when the value is dropped.
#[derive(Debug)]
pub struct Unit(PathBuf);

impl Unit {
    /// Creates the control group `path`, relative to the root: `system.slice/camera.service`.
    ///
    /// # Errors
    /// If this process is not root's, or the machine has no control groups.
    pub fn new(path: &str) -> Result<Self> {
        // A machine with the old hierarchies has the unified one beside them.
        let beside = Path::new("/sys/fs/cgroup/unified");
        let root = if beside.is_dir() {
            beside
        } else {
            Path::new("/sys/fs/cgroup")
        };
        let folder = root.join(path);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self(folder))
    }

    /// Returns a command whose process is in the group from its start.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut shell = command::command("sh");
        shell
            .args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""])
            .arg(&self.0)
            .arg(program);
        shell
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // Only empty groups are removed: those of other tests and of systemd stay.
        for folder in self.0.ancestors().take_while(|folder| !folder.ends_with("cgroup")) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}
