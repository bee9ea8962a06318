//! Simulates a loss of power: data that a program wrote to a folder and did not sync is lost, completely or in part.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::shared_library;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/power_loss.c");

/// The size of a sector, which a disk writes atomically.
const SECTOR: usize = 512;

/// A folder on a disk whose power can fail. The program is started with a library that records what it has synced.
#[derive(Debug)]
pub struct PowerLoss {
    folder: PathBuf,
    latency: Duration,
    library: PathBuf,
    own: TempDir,
}

impl PowerLoss {
    /// Compiles the library, for a program that writes into `folder` (which has no folders in it) and waits for `latency` at
    /// each sync and each further page of it.
    ///
    /// # Errors
    /// If there is no C compiler.
    pub fn new(folder: &Path, latency: Duration) -> Result<Self> {
        // Beside the folder, because its files are linked.
        let beside = folder.parent().context("the folder has none around it")?;
        let own = tempfile::Builder::new().prefix("platter-").tempdir_in(beside)?;
        let library = shared_library(SOURCE, own.path())?;
        let power = Self {
            // The library compares text: no slash at the end.
            folder: folder.components().collect(),
            latency,
            library,
            own,
        };
        power.clear_platter()?;
        Ok(power)
    }

    /// Returns the variables that the program must be started with.
    #[must_use]
    pub fn env(&self) -> [(String, String); 4] {
        let text = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("POWER_LOSS_FOLDER".to_owned(), text(&self.folder)),
            ("POWER_LOSS_PLATTER".to_owned(), text(&self.platter())),
            ("POWER_LOSS_MICROS".to_owned(), self.latency.as_micros().to_string()),
        ]
    }

    /// Resets the folder to the content of the disk when the program was killed, which must have happened before. For each
    /// sector that was written but not synced, `survives` decides whether it reached the disk.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn strike(&self, mut survives: impl FnMut() -> bool) -> Result<()> {
        for entry in fs::read_dir(self.platter().join("names"))? {
            let path = entry?.path();
            let mut content = fs::read(&path)?;
            // A file that was renamed or deleted since is restored as it was.
            if let Ok(cached) = fs::read(self.folder.join(path.file_name().unwrap_or_default())) {
                mix(&mut content, &cached, &mut survives);
            }
            fs::write(&path, content)?;
        }
        fs::set_permissions(self.platter().join("names"), fs::metadata(&self.folder)?.permissions())?;
        fs::remove_dir_all(&self.folder)?;
        fs::rename(self.platter().join("names"), &self.folder)?;
        self.clear_platter()
    }

    fn clear_platter(&self) -> Result<()> {
        let platter = self.platter();
        if platter.exists() {
            fs::remove_dir_all(&platter)?;
        }
        for part in ["data", "names"] {
            fs::create_dir_all(platter.join(part))?;
        }
        Ok(())
    }

    fn platter(&self) -> PathBuf {
        self.own.path().join("platter")
    }
}

/// Copies the sectors of `cached` that survive.
fn mix(content: &mut Vec<u8>, cached: &[u8], mut survives: impl FnMut() -> bool) {
    for (index, sector) in cached.chunks(SECTOR).enumerate() {
        let (from, to) = (index * SECTOR, index * SECTOR + sector.len());
        if content.get(from..to) != Some(sector) && survives() {
            content.resize(content.len().max(to), 0);
            if let Some(place) = content.get_mut(from..to) {
                place.copy_from_slice(sector);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs a Python script with the library, in the folder, to its end.
    fn run(power: &PowerLoss, script: &str) {
        let mut python = Command::new("python3");
        python.args(["-c", script]).arg(&power.folder).envs(power.env());
        let output = python.output().expect("python3 is missing: run `make setup-test`");
        assert!(output.status.success(), "{output:?}");
    }

    #[test]
    fn only_what_was_synced_survives() {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("state");
        fs::create_dir(&folder).unwrap();
        for name in ["old", "shrunk", "renamed", "removed", "replaced"] {
            fs::write(folder.join(name), format!("{name} before")).unwrap();
        }
        let power = PowerLoss::new(&folder.join(""), Duration::ZERO).unwrap();
        run(
            &power,
            r#"
import os, sys
os.chdir(sys.argv[1])
at = lambda name: sys.argv[1] + "/" + name
def write(name, text, sync, flags=os.O_RDWR | os.O_CREAT):
    file = os.open(at(name), flags, 0o600)
    os.write(file, text)
    if sync: os.fdatasync(file)
    return file
write("old", b"OLD", True)
write("old", b"old after", False)
os.ftruncate(write("shrunk", b"", False), 1)
write("name synced later", b"x", True)
folder = os.open(sys.argv[1], os.O_RDONLY)
os.fsync(folder)
write("name not synced", b"x", True)
write("never", b"x", True)
os.rename(at("renamed"), at("new name"))
os.unlink(at("removed"))
write("draft", b"replaced after", True)
os.rename(at("draft"), at("replaced"))
"#,
        );
        power.strike(|| false).unwrap();
        let content = |name: &str| fs::read_to_string(folder.join(name)).ok();
        for (name, expected) in [
            ("old", Some("OLD before")),
            ("shrunk", Some("shrunk before")),
            ("name synced later", Some("x")),
            ("name not synced", None),
            ("never", None),
            ("renamed", Some("renamed before")),
            ("new name", None),
            ("removed", Some("removed before")),
            ("replaced", Some("replaced before")),
            ("draft", None),
        ] {
            assert_eq!(content(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn sectors_survive_one_by_one() {
        let (old, new) = ([1; 4 * SECTOR], [2; 5 * SECTOR]);
        let mut content = old.to_vec();
        let mut turn = 0;
        mix(&mut content, &new, || {
            turn += 1;
            turn % 2 == 0
        });
        let sectors: Vec<u8> = content.chunks(SECTOR).map(|sector| sector[0]).collect();
        assert_eq!(sectors, [1, 2, 1, 2]);
    }
}
