//! A wall clock for the daemon alone, with libfaketime: no other process is affected.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::Gateway;

/// The gateway's wall clock.
pub struct WallClock(PathBuf);

impl WallClock {
    /// Gives the gateway, before it is started, a wall clock that shows a minute after the start of 1970.
    pub fn at_1970(gateway: &mut Gateway) -> Self {
        let clock = Self(gateway.folder.path().join("wall-clock"));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        clock.shift(&format!("-{}", since - 60));
        let variables = [
            ("LD_PRELOAD", library().display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", clock.0.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            // On a machine that has just booted only the wall clock is wrong.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        gateway
            .env
            .extend(variables.map(|(name, value)| (name.to_owned(), value)));
        clock
    }

    /// Sets it right. The kernel does not notify the daemon of this step: its timer uses the real clock.
    pub fn set_right(&self) {
        self.shift("+0");
    }

    /// Changes the offset atomically, because the daemon reads the file whenever it reads the clock.
    fn shift(&self, offset: &str) {
        let draft = self.0.with_extension("new");
        fs::write(&draft, offset).unwrap();
        fs::rename(draft, &self.0).unwrap();
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
    folders
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .expect("libfaketimeMT.so.1 is missing: run `make setup-test`, or `apt-get install libfaketime`")
}
