//! `gatepost status --watch`: the status again and again, until somebody has seen enough.

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

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// To the upper left corner, and nothing below it (ECMA-48: CUP, ED).
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Looks until it is interrupted or nobody reads on. A daemon that does not answer is part of what is watched.
pub(super) fn run(socket: &Path, json: bool) -> Result<Exit, Failure> {
    // What cannot move its cursor gets lines, as a file does.
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

/// When it is, and the state with the sentence about it. How many messages wait changes all the time; that AWS did not
/// take some is news.
fn in_a_line(document: &Value) -> (String, String) {
    let text = |name| document.get(name).text().unwrap_or_default().to_owned();
    let parked = document.get("messages").get("parked").whole_number();
    let parked = parked.filter(|parked| *parked > 0);
    let parked = parked
        .map(|parked| format!("; {parked} messages parked"))
        .unwrap_or_default();
    (
        // A daemon that does not run has no clock.
        document
            .get("now")
            .text()
            .map(|now| format!("{now} "))
            .unwrap_or_default(),
        format!("{}: {}{parked}\n", text("state"), text("summary")),
    )
}
