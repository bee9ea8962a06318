//! `gatepost status --watch`: shows the status continuously.

use std::convert::Infallible;
use std::io::IsTerminal;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::document::{line, look_again, of_failure};
use super::report;
use crate::exit::{Exit, Failure};
use crate::json::Value;
use crate::output;
use crate::terminal::Terminal;

/// Interval between updates.
const INTERVAL: Duration = Duration::from_secs(2);
/// Moves to the upper left corner and erases everything below (ECMA-48: CUP, ED).
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Runs until it is interrupted or the reader has gone. A daemon that does not answer is shown as well.
pub(super) fn run(socket: &Path, json: bool) -> Result<Exit, Failure> {
    // A terminal that cannot move its cursor gets lines, like a file.
    let is_screen = std::io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
    let outcome = match (json, is_screen) {
        (true, _) => every_document(socket),
        (false, true) => screen(socket),
        (false, false) => every_change(socket),
    };
    outcome.map(|never| match never {})
}

fn every_document(socket: &Path) -> Result<Infallible, Failure> {
    loop {
        match look_again(socket) {
            Ok((body, _)) => output::print(&line(&body)).map(drop)?,
            Err(failure) => {
                output::print(&line(of_failure(&failure).as_bytes()))?;
                let _ = failure.report();
            }
        }
        sleep(INTERVAL);
    }
}

fn screen(socket: &Path) -> Result<Infallible, Failure> {
    loop {
        let text = match look_again(socket) {
            Ok((_, document)) => report::draw(&document, Terminal::of_stdout()),
            Err(failure) => failure.text(),
        };
        output::print(format!("{CLEAR}{text}").as_bytes())?;
        sleep(INTERVAL);
    }
}

fn every_change(socket: &Path) -> Result<Infallible, Failure> {
    let mut before = String::new();
    loop {
        let (time, news) = match look_again(socket) {
            Ok((_, document)) => in_a_line(&document),
            Err(failure) => (String::new(), failure.text()),
        };
        if news != before {
            output::print(format!("{time}{news}").as_bytes())?;
            before = news;
        }
        sleep(INTERVAL);
    }
}

/// Returns the time, and the state with its sentence. The number of waiting messages is left out because it changes all the time; refused
/// messages are included.
fn in_a_line(document: &Value) -> (String, String) {
    let text = |name| document.get(name).text().unwrap_or_default().to_owned();
    let parked = document.get("messages").get("parked").whole_number();
    let parked = parked.filter(|parked| *parked > 0);
    let parked = parked
        .map(|parked| format!("; {parked} messages parked"))
        .unwrap_or_default();
    (
        // A daemon that is not running has no clock.
        document
            .get("now")
            .text()
            .map(|now| format!("{now} "))
            .unwrap_or_default(),
        format!("{}: {}{parked}\n", text("state"), text("summary")),
    )
}
