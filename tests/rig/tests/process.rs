//! Tests of the process type, with the shell.

#![allow(clippy::unwrap_used, reason = "a helper of tests may fail as loudly as they do")]

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rig::command::command;
use rig::process::{Process, Signal};
use rig::wait;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn shell(script: &str) -> Process {
    Process::spawn(command("sh").args(["-c", script]), "dash").unwrap()
}

#[test]
fn lines_of_both_streams_are_seen_while_it_runs() {
    let process = shell("echo one; echo two >&2; exec sleep 600");
    assert_eq!(process.wait_for_line(PATIENCE, |line| line == "one").unwrap(), "one");
    assert_eq!(
        process.wait_for_line(PATIENCE, |line| line.starts_with("tw")).unwrap(),
        "two"
    );
}

#[test]
fn an_end_without_the_line_is_reported_at_once_with_the_log() {
    let process = shell("echo the reason");
    let error = process
        .wait_for_line(PATIENCE, |line| line == "ready")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ended before") && error.contains("the reason"),
        "{error}"
    );
}

#[test]
fn a_line_that_does_not_come_in_time_is_an_error() {
    let process = shell("exec sleep 600");
    let error = process
        .wait_for_line(Duration::from_millis(1), |_| true)
        .unwrap_err()
        .to_string();
    assert!(error.contains("did not print"), "{error}");
}

#[test]
fn signals_arrive_and_the_exit_code_comes_back() {
    // Not HUP: under nohup a shell starts with HUP ignored, and may then not trap it (POSIX, trap).
    let mut process = shell("trap 'echo usr1' USR1; trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    process.wait_for_line(PATIENCE, |line| line == "ready").unwrap();
    let seen = process.line_count();
    process.signal(Signal::USR1).unwrap();
    process
        .wait_for_line_after(seen, PATIENCE, |line| line == "usr1")
        .unwrap();
    process.signal(Signal::TERM).unwrap();
    assert_eq!(process.wait(PATIENCE).unwrap().code(), Some(7));
    assert!(
        process.signal(Signal::TERM).is_err(),
        "an ended process has no id to signal"
    );
}

#[test]
fn a_kill_is_seen_as_one() {
    let mut process = shell("exec sleep 600");
    process.signal(Signal::KILL).unwrap();
    assert_eq!(process.wait(PATIENCE).unwrap().signal(), Some(9));
}

#[test]
fn a_process_that_does_not_end_is_an_error_and_ends_with_the_rig() {
    let mut process = shell("exec sleep 600");
    let proc = format!("/proc/{}", process.pid());
    assert!(process.wait(Duration::ZERO).is_err());
    drop(process);
    wait::until(PATIENCE, "no trace of the process", || {
        !std::path::Path::new(&proc).exists()
    })
    .unwrap();
}

#[test]
fn a_missing_program_names_its_package() {
    let error = Process::spawn(&mut command("no-such-daemon"), "some-package").unwrap_err();
    assert!(format!("{error:#}").contains("some-package"), "{error:#}");
}
