//! Queries the running daemon, or finds out why it is not running.
//!
//! The socket is used last: systemd would start the daemon for a connection, although an administrator has stopped it, or although each
//! start uses up an attempt of the PIN.

use std::path::Path;
use std::time::Duration;

use gatepost_client::unit_state::{self, UnitState};
use hyper::Method;
use serde_json::Value;

use super::lines::DAEMON;
use super::report::Report;
use crate::config::{Folders, RUNTIME_FOLDER};
use crate::foreign_text::clean;
use crate::last_end;
use crate::overview::Overview;
use crate::problem::{Exit, Problem};
use crate::socket_client::{self, socket};

/// Time limit of a request. The daemon answers from memory.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The result of a status query.
pub enum Answer {
    /// The status document.
    Status(Value),
    /// The daemon is not running.
    NotRunning(NotRunning),
}

/// The reason why the daemon is not running.
#[derive(Debug)]
pub struct NotRunning {
    exit: Exit,
    problem: Problem,
}

/// An HTTP response of the daemon.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body.
    pub document: Value,
}

impl From<unit_state::NotRunning> for NotRunning {
    fn from(why: unit_state::NotRunning) -> Self {
        let exit = match why.exit_code {
            77 => Exit::Pin,
            78 => Exit::Configuration,
            69 => Exit::Unavailable,
            _ => Exit::NotRunning,
        };
        let problem = match why.starts_by_itself {
            true => Problem::wait(why.message),
            false => Problem::configuration(why.message),
        };
        Self {
            exit,
            problem: problem.next(why.next_step),
        }
    }
}

impl NotRunning {
    /// Adds it to the report, with the identifier that the problem has in the status.
    pub fn report_to(&self, report: &mut Report) {
        report.fail(DAEMON, self.exit, &self.problem);
        let overview = Overview::of_stopped(self.exit, self.problem.clone());
        if let Some(finding) = overview.findings.first() {
            report.name_problem(finding.id);
        }
    }

    /// Returns whether the token has rejected the PIN, so that it must not be tried again.
    pub fn pin_was_rejected(&self) -> bool {
        self.exit == Exit::Pin
    }
}

/// Queries the status.
pub async fn query_status(folders: &Folders) -> Answer {
    let socket = socket(folders);
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let unit = (folder == Path::new(RUNTIME_FOLDER)).then(UnitState::ask).flatten();
    if let Some(last_end) = last_end::read(folder) {
        let (exit, problem) = last_end.verdict();
        let exit = match unit {
            Some(unit) if unit.is_about_to_start() => Exit::Unavailable,
            _ => exit,
        };
        return Answer::NotRunning(NotRunning { exit, problem });
    }
    if let Some(why) = unit.and_then(|unit| unit.why_not_running(|text| clean(text))) {
        return Answer::NotRunning(why.into());
    }
    match get(&socket, "/v1/status").await {
        Some(response) => Answer::Status(response.document),
        None => {
            let problem = Problem::configuration(format!("gatepostd does not answer at {}", socket.display()));
            Answer::NotRunning(NotRunning {
                exit: Exit::NotRunning,
                problem: problem.next("systemctl start gatepost"),
            })
        }
    }
}

/// Gets a document from the socket; `None` if there is no response.
pub async fn get(socket: &Path, target: &str) -> Option<Response> {
    let answer = socket_client::request(socket, Method::GET, target, TIMEOUT).await?;
    Some(Response {
        status: answer.status,
        document: serde_json::from_slice(&answer.body).ok()?,
    })
}
