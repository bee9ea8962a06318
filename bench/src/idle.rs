//! What a process takes while it does nothing, as the kernel counts it.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its share of what it maps: shared pages are divided among those who map them.
    pub pss: u64,
    /// All of what it maps.
    pub rss: u64,
}

/// The memory of a process, from `/proc/PID/smaps_rollup`.
///
/// # Errors
/// If there is no such process, or it belongs to somebody else.
pub fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let rollup = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    Ok(Memory {
        pss: kilobytes(&rollup, "Pss:")?,
        rss: kilobytes(&rollup, "Rss:")?,
    })
}

/// How often per minute a thread of the process woke up, over `time`: each wake-up is the end of a sleep, and a
/// sleep begins with a voluntary context switch.
///
/// # Errors
/// If there is no such process, or it began or ended threads in that time (then it was not idle).
pub fn wakeups_per_minute(pid: u32, time: Duration) -> Result<f64> {
    let before = switches(pid)?;
    thread::sleep(time);
    let after = switches(pid)?;
    let threads = |counts: &[(PathBuf, u64)]| counts.iter().map(|(thread, _)| thread.clone()).collect::<Vec<_>>();
    ensure!(
        threads(&before) == threads(&after),
        "process {pid} began or ended threads: it was not idle"
    );
    let count: u64 = after
        .iter()
        .zip(&before)
        .map(|((_, after), (_, before))| after.saturating_sub(*before))
        .sum();
    let count = u32::try_from(count).context("a process that never sleeps")?;
    Ok(f64::from(count) * 60.0 / time.as_secs_f64())
}

/// The voluntary context switches of each thread so far.
fn switches(pid: u32) -> Result<Vec<(PathBuf, u64)>> {
    let path = format!("/proc/{pid}/task");
    let mut counts = Vec::new();
    for thread in fs::read_dir(&path).with_context(|| format!("{path} cannot be read"))? {
        let thread = thread?.path();
        let status = fs::read_to_string(thread.join("status"))?;
        counts.push((thread, number(&status, "voluntary_ctxt_switches:")?));
    }
    counts.sort();
    Ok(counts)
}

fn kilobytes(text: &str, name: &str) -> Result<u64> {
    Ok(number(text, name)? * 1024)
}

/// The number after `name` at the beginning of a line.
fn number(text: &str, name: &str) -> Result<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .with_context(|| format!("no {name} line"))?;
    let number = line
        .split_whitespace()
        .next()
        .with_context(|| format!("nothing after {name}"))?;
    number.parse().with_context(|| format!("{name} {number} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_proc() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t42\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(number(status, "voluntary_ctxt_switches:").unwrap(), 42);
        assert_eq!(
            kilobytes("Rss:      5000 kB\nPss:         12 kB\n", "Pss:").unwrap(),
            12 * 1024
        );
        for text in ["", "Pss:\n", "Pss: many kB\n", " Pss: 1 kB\n"] {
            assert!(number(text, "Pss:").is_err(), "{text:?}");
        }
    }
}
