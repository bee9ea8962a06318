//! The lower bound of any durable publish: a record that is written into an existing file and synced, without a database.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::publishers::PAYLOAD;

/// Writes records one after the other and syncs each; returns the duration of each. The file has its size beforehand, so that a sync need
/// not write the file's metadata.
///
/// # Errors
/// If the file cannot be written.
pub fn write_and_sync(folder: &Path, records: usize) -> Result<Vec<Duration>> {
    let file = File::create(folder.join("records"))?;
    file.write_all_at(&vec![0; records * PAYLOAD], 0)?;
    file.sync_all()?;
    let write = |number: usize| {
        let began = Instant::now();
        file.write_all_at(&[b'x'; PAYLOAD], u64::try_from(number * PAYLOAD)?)?;
        file.sync_data()?;
        Ok(began.elapsed())
    };
    (0..records).map(write).collect()
}
