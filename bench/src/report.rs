//! The figures, each with its budget.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use bench::caller::Caller;
use bench::load::Load;
use bench::sample::{Sample, middle};
use bench::table::{Budget, Figure, Row};
use bench::{command, idle, size, start};
use rig::process::Process;
use rig::wait;

pub(crate) const CREDENTIALS: &str = "/v1/credentials";
pub(crate) const STATUS: &str = "/v1/status";

/// Number of rounds, in which daemon and floor alternate. The median counts. There are many short rounds, so that a burst of another
/// process on a machine with few cores spoils only some of them.
const ROUNDS: usize = 15;

/// The number of measured runs of `gatepost credentials` and `/bin/true`.
const PROCESSES: usize = 300;

/// The number of starts of the daemon.
const STARTS: usize = 5;

/// Measures the response from the socket, beside a server that only sends the same bytes.
pub(crate) fn socket(daemon: &Path) -> Result<Vec<Row>> {
    let floor = Floor::start(daemon)?;
    let mut rows = Vec::new();
    for (keep_alive, name, total) in [(true, "keep-alive", 16_000), (false, "new connection", 4_000)] {
        for callers in [1, 8] {
            let load = Load {
                callers,
                requests: total / callers,
                keep_alive,
            };
            let (mut ours, mut least) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(load.run(daemon, CREDENTIALS)?);
                least.push(load.run(&floor.socket(), CREDENTIALS)?);
            }
            for percent in [50, 99] {
                let figure = |rounds: &[Sample]| Figure::Time(middle(rounds, |round| round.percentile(percent)));
                let promised = keep_alive && percent == 99;
                rows.push(Row {
                    what: format!("{name}, {callers} at a time, p{percent}"),
                    value: figure(&ours),
                    floor: Some(figure(&least)),
                    budget: if promised {
                        Budget::TimesFloor(2.0)
                    } else {
                        Budget::None
                    },
                });
            }
        }
    }
    Ok(rows)
}

/// Measures the whole process of a credential_process, beside one that does nothing.
pub(crate) fn command(gatepost: &Path, socket: &Path) -> Result<Vec<Row>> {
    let (ours, least) = command::compare(
        PROCESSES,
        &mut command::credentials(gatepost, socket),
        &mut command::quiet("/bin/true"),
    )?;
    let row = |name: &str, percent, budget| Row {
        what: format!("gatepost credentials, {name}"),
        value: Figure::Time(ours.percentile(percent)),
        floor: Some(Figure::Time(least.percentile(percent))),
        budget,
    };
    Ok(vec![
        row("p50", 50, Budget::TimesFloor(2.0)),
        row("p99", 99, Budget::None),
    ])
}

/// Measures the idle daemon with a token of this name.
pub(crate) fn idle(token: &str, promised: u64, pid: u32, time: Duration) -> Result<Vec<Row>> {
    idle::settle(pid)?;
    let wakeups = idle::wakeups_per_minute(pid, time)?;
    let memory = idle::memory(pid)?;
    let row = |what: &str, value, budget| Row {
        what: format!("{token}, idle, {what}"),
        value,
        floor: None,
        budget,
    };
    Ok(vec![
        row(
            "PSS",
            Figure::Bytes(memory.pss),
            Budget::AtMost(Figure::Bytes(promised)),
        ),
        row("PSS without libraries", Figure::Bytes(memory.own), Budget::None),
        row("private dirty", Figure::Bytes(memory.dirty), Budget::None),
        row("RSS", Figure::Bytes(memory.rss), Budget::None),
        row(
            "wake-ups",
            Figure::PerMinute(wakeups),
            Budget::AtMost(Figure::PerMinute(6.0)),
        ),
    ])
}

/// Measures the shipped programs.
pub(crate) fn size(daemon: &Path, gatepost: &Path) -> Result<Vec<Row>> {
    let row = |what: &str, program, most| {
        let value = Figure::Bytes(size::of(program)?);
        let budget = Budget::AtMost(Figure::Bytes(most));
        anyhow::Ok(Row {
            what: what.to_owned(),
            value,
            floor: None,
            budget,
        })
    };
    Ok(vec![
        row("size, gatepostd", daemon, 6_500_000)?,
        row("size, gatepost", gatepost, 600_000)?,
    ])
}

/// Measures the start of the daemon; the floor is the start of the server that only sends bytes.
pub(crate) fn start(socket: &Path, daemon: &[&str]) -> Result<Vec<Row>> {
    let mut ours = start::daemon(daemon)?;
    let times = start::middle_of(STARTS, &mut ours, socket, &[STATUS, CREDENTIALS])?;
    let [answer, credentials] = times.as_slice() else {
        anyhow::bail!("two paths, but not two times")
    };

    let folder = tempfile::tempdir()?;
    let bytes = folder.path().join("answer");
    fs::write(&bytes, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")?;
    let mut least = Vec::new();
    for start in 0..STARTS {
        let socket = folder.path().join(start.to_string());
        least.extend(start::first_answers(
            &mut floor_command(&socket, &bytes)?,
            &socket,
            &[STATUS],
        )?);
    }
    let least = Sample::new(least).context("no starts to measure")?;
    Ok(vec![
        Row {
            what: "start to first answer".to_owned(),
            value: Figure::Time(*answer),
            floor: Some(Figure::Time(least.median())),
            budget: Budget::AtMost(Figure::Time(Duration::from_millis(50))),
        },
        Row {
            what: "start to first credentials".to_owned(),
            value: Figure::Time(*credentials),
            floor: None,
            budget: Budget::None,
        },
    ])
}

/// A server that only sends the bytes of one of the daemon's responses.
pub(crate) struct Floor {
    folder: tempfile::TempDir,
    _process: Process,
}

impl Floor {
    /// Requests credentials from `daemon`, and starts the server with that response.
    pub(crate) fn start(daemon: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let answer = folder.path().join("answer");
        fs::write(&answer, Caller::new(daemon, CREDENTIALS).ask()?)?;
        let socket = folder.path().join("socket");
        let process = Process::spawn(&mut floor_command(&socket, &answer)?, "gatepost")?;
        wait::until(Duration::from_secs(10), "the floor to answer", || {
            Caller::new(&socket, CREDENTIALS).ask().is_ok()
        })?;
        Ok(Self {
            folder,
            _process: process,
        })
    }

    /// Returns the socket on which it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

/// Returns the command that runs this program as the floor, in a process of its own like the daemon.
fn floor_command(socket: &Path, answer: &Path) -> Result<Command> {
    let mut floor = Command::new(std::env::current_exe()?);
    floor.arg("floor").arg(socket).arg(answer);
    Ok(floor)
}
