//! Tests which events wake the watch.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// The wait for an event that arrives at once on an idle machine.
const SOON: Duration = Duration::from_secs(30);
/// The time without events after which none will come, because they are queued before the call that causes them returns.
const NEVER: Duration = Duration::from_millis(50);

/// Two folders, each with a watched file.
struct Rig {
    _top: TempDir,
    certificate: PathBuf,
    chain: PathBuf,
    files: Files,
}

impl Rig {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let (certificate, chain) = (top.path().join("state/device.pem"), top.path().join("etc/ca.pem"));
        for path in [&certificate, &chain] {
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(path, "old").unwrap();
        }
        let files = Files::watch_paths(&[&certificate, &chain]).unwrap();
        Self {
            _top: top,
            certificate,
            chain,
            files,
        }
    }

    /// Returns whether the watch reports a change.
    async fn is_woken(&mut self) -> bool {
        timeout(SOON, self.files.changed()).await.is_ok()
    }

    /// Returns whether the kernel reports any event.
    async fn receives_any_event(&mut self) -> bool {
        timeout(NEVER, self.files.next_events()).await.is_ok()
    }
}

#[tokio::test]
async fn every_event_that_may_change_a_file_wakes_the_watch() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 11] = [
        ("written", |path| fs::write(path, "new").unwrap()),
        ("appended to", |path| {
            OpenOptions::new()
                .append(true)
                .open(path)
                .unwrap()
                .write_all(b"more")
                .unwrap();
        }),
        ("truncated", |path| drop(File::create(path).unwrap())),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("removed and written", |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "new").unwrap();
        }),
        ("renamed over", |path| {
            let new = path.with_extension("new");
            fs::write(&new, "new").unwrap();
            fs::rename(&new, path).unwrap();
        }),
        ("moved away", |path| {
            fs::rename(path, path.with_extension("old")).unwrap()
        }),
        ("replaced by a link", |path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/elsewhere", path).unwrap();
        }),
        ("made readable", |path| {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }),
        ("given to its owner again", |path| {
            std::os::unix::fs::chown(path, Some(rustix::process::getuid().as_raw()), None).unwrap();
        }),
        ("in a folder that was made readable", |path| {
            fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
        }),
    ];
    for (name, change) in changes {
        let mut rig = Rig::new();
        change(&rig.certificate);
        assert!(rig.is_woken().await, "the certificate is {name}");
        change(&rig.chain);
        assert!(rig.is_woken().await, "the chain is {name}");
    }
}

#[tokio::test]
async fn logging_into_the_folder_and_reading_the_files_cause_no_event() {
    let mut rig = Rig::new();
    let folder = rig.certificate.parent().unwrap().to_owned();
    let mut log = File::create(folder.join("program.log")).unwrap();
    assert!(rig.receives_any_event().await, "a file has appeared");
    while rig.receives_any_event().await {}
    for _ in 0..100 {
        writeln!(log, "a line").unwrap();
        log.sync_all().unwrap();
    }
    fs::read(&rig.certificate).unwrap();
    fs::read_dir(&folder).unwrap().for_each(drop);
    assert!(!rig.receives_any_event().await, "none of that wakes the process");
}

#[tokio::test]
async fn other_files_in_the_folder_do_not_wake_the_watch() {
    let mut rig = Rig::new();
    let folder = rig.certificate.parent().unwrap().to_owned();
    for name in ["outbox.db-journal", "device.pem.tmp", "ca.pem"] {
        fs::write(folder.join(name), "x").unwrap();
        fs::remove_file(folder.join(name)).unwrap();
    }
    while let Ok(news) = timeout(NEVER, rig.files.next_events()).await {
        assert!(!news);
    }
}

#[tokio::test]
async fn a_folder_that_is_replaced_is_watched_again() {
    for remove in [false, true] {
        let mut rig = Rig::new();
        let folder = rig.certificate.parent().unwrap().to_owned();
        match remove {
            true => fs::remove_dir_all(&folder).unwrap(),
            false => fs::rename(&folder, folder.with_extension("old")).unwrap(),
        }
        assert!(rig.is_woken().await, "it is gone: removed {remove}");
        fs::create_dir(&folder).unwrap();
        assert!(rig.is_woken().await, "it is there again: removed {remove}");
        fs::write(&rig.certificate, "new").unwrap();
        assert!(rig.is_woken().await, "and watched: removed {remove}");
        fs::write(&rig.chain, "new").unwrap();
        assert!(rig.is_woken().await, "as is the other one: removed {remove}");
    }
}

#[test]
fn a_folder_that_is_missing_at_the_start_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Files::watch_paths(&[&folder.path().join("none/device.pem")]).is_err());
}
