//! Tests of the instruments with the floor server: that they measure what they claim to, not that it is fast.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of tests may fail as loudly as they do"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bench::caller::Caller;
use bench::load::Load;
use bench::pace::Pace;
use bench::{command, idle, size, start};
use rig::process::{Process, Signal};
use rig::{unix_http, wait};
use tempfile::TempDir;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"Version\":1}";

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The floor server as a process.
struct Floor {
    folder: TempDir,
    process: Process,
}

impl Floor {
    fn new(answer: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::spawn(&mut floor_command(folder.path(), answer), "gatepost").unwrap();
        let floor = Self { folder, process };
        let listening = || unix_http::connect(&floor.socket()).is_ok();
        wait::until(PATIENCE, "the floor server to listen", listening).unwrap();
        floor
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

fn floor_command(folder: &Path, answer: &str) -> Command {
    fs::write(folder.join("answer"), answer).unwrap();
    let mut command = Command::new(BENCH);
    command
        .arg("floor")
        .arg(folder.join("socket"))
        .arg(folder.join("answer"));
    command
}

#[test]
fn the_floor_answers_with_its_bytes() {
    let floor = Floor::new(ANSWER);
    let mut caller = Caller::new(&floor.socket(), "/v1/credentials");
    for _ in 0..3 {
        assert_eq!(caller.ask().unwrap(), ANSWER.as_bytes());
    }
    caller.hang_up();
    assert_eq!(caller.ask().unwrap(), ANSWER.as_bytes());
}

#[test]
fn the_floor_takes_a_request_in_pieces_and_hangs_up_on_garbage() {
    use std::io::{Read, Write};
    let floor = Floor::new(ANSWER);
    let mut stream = unix_http::connect(&floor.socket()).unwrap();
    for piece in ["GET / HT", "TP/1.1\r\nHost: a\r", "\n\r\n"] {
        stream.write_all(piece.as_bytes()).unwrap();
        stream.flush().unwrap();
    }
    let mut answer = vec![0; ANSWER.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, ANSWER.as_bytes());
    assert_eq!(unix_http::exchange(&floor.socket(), b"\0\0\0\r\n\r\n").unwrap(), b"");
}

#[test]
fn every_request_is_counted() {
    let floor = Floor::new(ANSWER);
    for (callers, keep_alive) in [(1, true), (1, false), (8, true), (8, false)] {
        let load = Load {
            callers,
            requests: 50,
            keep_alive,
        };
        let sample = load.run(&floor.socket(), "/v1/credentials").unwrap();
        assert!(sample.percentile(0) > Duration::ZERO && sample.median() <= sample.percentile(99));
    }
}

#[test]
fn a_stall_makes_every_question_late_that_falls_into_it() {
    let mut floor = Floor::new(ANSWER);
    let (socket, process) = (floor.socket(), &mut floor.process);
    let pace = Pace {
        requests: 1_000,
        interval: Duration::from_millis(1),
    };
    let done = AtomicBool::new(false);
    let sample = thread::scope(|scope| {
        scope.spawn(|| {
            // The server stands still for half of the time.
            while !done.load(Ordering::Relaxed) {
                for signal in [Signal::STOP, Signal::CONT] {
                    process.signal(signal).unwrap();
                    thread::sleep(Duration::from_millis(100));
                }
            }
        });
        let sample = pace.run(&socket, "/");
        done.store(true, Ordering::Relaxed);
        sample.unwrap()
    });
    assert!(sample.percentile(75) > 10 * pace.interval, "{sample:?}");
}

#[test]
fn a_refusal_is_no_figure() {
    let floor = Floor::new("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    for callers in [1, 8] {
        let load = Load {
            callers,
            requests: 10,
            keep_alive: true,
        };
        let error = load.run(&floor.socket(), "/v1/credentials").unwrap_err();
        assert!(error.to_string().contains("503"), "{error}");
    }
}

#[test]
fn a_start_is_followed_to_its_answers() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let times = start::first_answers(&mut floor_command(folder.path(), ANSWER), &socket, &["/one", "/two"]).unwrap();
    assert_eq!(times.len(), 2);
    assert!(times[0] <= times[1], "{times:?}");
}

#[test]
fn two_programs_are_compared() {
    let (one, other) = command::compare(3, &mut command::quiet("true"), &mut command::quiet("true")).unwrap();
    assert!(one.median() > Duration::ZERO && other.median() > Duration::ZERO);
    let error = command::compare(3, &mut command::quiet("true"), &mut command::quiet("false")).unwrap_err();
    assert!(error.to_string().contains("false"), "{error}");
}

#[test]
fn an_idle_process_is_weighed() {
    let floor = Floor::new(ANSWER);
    let pid = floor.process.pid();
    let memory = idle::memory(pid).unwrap();
    assert!(
        0 < memory.own && memory.own <= memory.pss && memory.pss <= memory.rss,
        "{memory:?}"
    );

    let mut caller = Caller::new(&floor.socket(), "/");
    caller.ask().unwrap();
    let quiet = idle::wakeups_per_minute(pid, Duration::from_millis(200)).unwrap();
    let stop = AtomicBool::new(false);
    let busy = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                caller.ask().unwrap();
            }
        });
        let busy = idle::wakeups_per_minute(pid, Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
        busy.unwrap()
    });
    assert!(quiet < busy, "{quiet} {busy}");
    assert!(idle::memory(u32::MAX).is_err() && idle::wakeups_per_minute(u32::MAX, Duration::ZERO).is_err());
}

#[test]
fn the_whole_command_prints_its_table() {
    let floor = Floor::new(ANSWER);
    let socket = floor.socket().display().to_string();
    let size_of_true = size::of(Path::new("/bin/true")).unwrap();
    assert!(size_of_true > 0);
    for (arguments, wanted) in [
        (vec!["command", "/bin/true", &socket], "gatepost credentials, p50"),
        (vec!["size", BENCH, "/bin/true"], "size, gatepost "),
    ] {
        let output = Command::new(BENCH).args(&arguments).output().unwrap();
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && table.contains(wanted), "{table}");
    }
    assert_eq!(
        Command::new(BENCH).arg("nothing").output().unwrap().status.code(),
        Some(64)
    );
}
