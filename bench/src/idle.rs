//! The resources of an idle process, as the kernel counts them.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Time after which tokio's helper threads, such as the one for name lookups, have ended (`thread_keep_alive` is ten seconds).
const HELPERS_GONE: Duration = Duration::from_secs(11);

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Proportional set size: shared pages are divided among the processes that map them.
    pub pss: u64,
    /// The same without shared libraries, whose share depends on the other programs on the machine.
    pub own: u64,
    /// Private memory that was written to, which the kernel cannot reclaim without swap.
    pub dirty: u64,
    /// Resident set size.
    pub rss: u64,
}

/// Returns the memory of a process, from `/proc/PID/smaps`.
///
/// # Errors
/// If there is no such process, or it belongs to somebody else.
pub fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/smaps");
    weigh(&fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?)
}

/// Sums up mappings (proc(5)): each is a line that ends with its file, if it has one, followed by lines of `Name: N kB`.
fn weigh(smaps: &str) -> Result<Memory> {
    let (mut memory, mut shared_library) = (Memory::default(), false);
    for line in smaps.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        match name {
            "Pss:" => {
                let pss = kilobytes(line, name)?;
                memory.pss += pss;
                memory.own += if shared_library { 0 } else { pss };
            }
            "Rss:" => memory.rss += kilobytes(line, name)?,
            "Private_Dirty:" => memory.dirty += kilobytes(line, name)?,
            _ if name.ends_with(':') => {}
            _ => shared_library = line.ends_with(".so") || line.contains(".so."),
        }
    }
    Ok(memory)
}

/// Waits until the process has no helper threads left.
///
/// # Errors
/// If there is no such process.
pub fn settle(pid: u32) -> Result<()> {
    let threads = || anyhow::Ok(switches(pid)?.into_iter().map(|(thread, _)| thread).collect::<Vec<_>>());
    let mut before = threads()?;
    loop {
        thread::sleep(HELPERS_GONE);
        let after = threads()?;
        if after == before {
            return Ok(());
        }
        before = after;
    }
}

/// Returns how often per minute a thread of the process woke up, over `time`. Each wake-up ends a sleep, and a sleep begins with a
/// voluntary context switch.
///
/// # Errors
/// If there is no such process, or it started or ended threads in that time (then it was not idle).
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

/// Returns the number of voluntary context switches of each thread so far.
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

/// Returns the number after `name` at the beginning of a line.
fn number(text: &str, name: &str) -> Result<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .with_context(|| format!("no {name} line"))?;
    let number = line
        .split_whitespace()
        .next()
        .with_context(|| format!("nothing after {name}"))?;
    number
        .parse()
        .with_context(|| format!("{name} {number} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_proc() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t42\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(number(status, "voluntary_ctxt_switches:").unwrap(), 42);
        for text in ["", "Pss:\n", "Pss: many kB\n", " Pss: 1 kB\n"] {
            assert!(number(text, "Pss:").is_err(), "{text:?}");
        }
    }

    #[test]
    fn mappings_are_summed_up() {
        let smaps = "\
55d0-55d1 r-xp 00000000 fe:00 12 /usr/bin/gatepostd\nRss: 5 kB\nPss: 4 kB\nPss_Dirty: 9 kB\nVmFlags: rd ex\n\
7f00-7f01 rw-p 00000000 00:00 0 \nRss: 3 kB\nPss: 3 kB\nPrivate_Dirty: 3 kB\n\
7f02-7f03 r--p 00000000 fe:00 13 /usr/lib/libc.so.6\nRss: 7 kB\nPss: 1 kB\n\
7f04-7f05 r--p 00000000 fe:00 14 /usr/lib/softhsm/libsofthsm2.so\nRss: 7 kB\nPss: 7 kB\n\
7ffc-7ffd rw-p 00000000 00:00 0 [stack]\nRss: 2 kB\nPss: 2 kB\nPrivate_Dirty: 2 kB\n";
        let memory = weigh(smaps).unwrap();
        let kilobytes = [memory.pss, memory.own, memory.dirty, memory.rss].map(|bytes| bytes / 1024);
        assert_eq!(kilobytes, [17, 9, 5, 24]);
    }
}
