//! A control group as systemd makes one for a unit, for processes that are to be taken for that unit's. Needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// The control group of a unit; removed when dropped.
#[derive(Debug)]
pub struct Unit(PathBuf);

impl Unit {
    /// The control group `path`, below the root: `system.slice/camera.service`.
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

    /// A command whose process is in the group from its first moment.
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
        // Only what is empty goes: other tests' groups, and systemd's, stay.
        for folder in self.0.ancestors().take_while(|folder| !folder.ends_with("cgroup")) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}
