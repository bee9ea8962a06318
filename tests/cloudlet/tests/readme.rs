//! The examples in README.md work. gatepost's tests/aws_articles.rs runs its AWS CLI commands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test support: fails loudly"
)]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use cloudlet::switches::FirstContact;
use cloudlet::{Cloudlet, Error, Event, Options};
use common::Fleet;
use rustix::process::{Pid, Signal, kill_process};

const README: &str = include_str!("../README.md");

fn example(fleet_ca_pem: String, timeout: Duration) -> Result<(), Error> {
    let cloud = Cloudlet::start(Options::quick())?;
    cloud.register_ca(&fleet_ca_pem, cloud.article_template())?;
    cloud
        .switches()
        .set(|switches| switches.first_contact = FirstContact::Hang);
    cloud.wait_for(timeout, |event| matches!(event, Event::Connected { .. }))?;
    Ok(())
}

#[test]
fn the_example_for_tests_runs() {
    let (_, shown) = README.split_once("as a dev-dependency:\n\n").unwrap();
    let (shown, _) = shown.split_once("\n\n").unwrap();
    // rustfmt breaks lines that the README does not.
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    let ours = bare(include_str!("readme.rs"));
    assert_eq!(shown.lines().count(), 4, "{shown}");
    for line in shown.lines().map(str::trim) {
        assert!(ours.contains(&bare(line)), "{line} is not what this test runs");
    }
    // No device connects, so everything works except for the last line.
    let outcome = example(Fleet::new().ca_pem(), Duration::ZERO);
    let error = outcome.expect_err("nothing has connected");
    assert!(error.to_string().contains("happened"), "{error}");
}

#[test]
fn the_command_prints_the_lines_that_are_shown() {
    let (_, shown) = README.split_once("cloudlet run --dir ~/cloud\n").unwrap();
    let shown: Vec<&str> = shown
        .lines()
        .map(str::trim)
        .take_while(|line| *line != "...")
        .filter(|line| !line.is_empty())
        // Free ports of this machine replace those that are shown.
        .map(|line| line.rsplit_once(':').map_or(line, |(before, _)| before))
        .collect();
    assert!(shown.len() > 2, "{shown:?}");
    let folder = tempfile::tempdir().unwrap();
    let mut child = common::run_command(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut printed = lines.take_while(|line| !line.contains("Ctrl-C"));
    for line in shown {
        assert!(
            printed.any(|other| other.trim().starts_with(line)),
            "{line} is not printed there"
        );
    }
    // The rest is read, so that the program is not blocked while printing it.
    assert!(printed.count() > 0);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(folder.path().join("cloudlet.env").exists());
}
