//! A small disk that can be filled and freed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rig::command;

/// A separate file system in memory, mounted on a folder.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a file system with a capacity of `megabytes`. This needs root.
    pub fn at(folder: &Path, megabytes: u32) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut mount = command::command("mount");
        let size = format!("size={megabytes}m,mode=0700");
        mount.args(["-t", "tmpfs", "-o", &size, "gatepost-test"]).arg(folder);
        command::run(&mut mount, "mount").unwrap();
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Uses all the remaining space.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        // In small pieces at the end, so that nothing remains.
        for piece in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    /// Frees the space again.
    pub fn free(&self) {
        let _ = fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Unmounted lazily: a process that still has a file open there is about to end.
        let mut unmount = command::command("umount");
        let _ = command::run(unmount.arg("-l").arg(&self.folder), "mount");
    }
}
