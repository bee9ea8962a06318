//! `gatepostd --support`, the implementation of `gatepost support`: prints a support bundle, one text with everything that is needed to
//! diagnose a problem.
//!
//! It works without the daemon and for every user; what cannot be read is noted in its section. No file with a secret is opened, and
//! every line goes through [`Redaction`].

mod files;
mod programs;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::clock::rfc3339;
use crate::config::{self, DEFAULT_PATH, Folders};
use crate::foreign_text;
use crate::problem::Fatal;
use crate::redaction::Redaction;
use crate::service;
use crate::socket_client::{self, Answer};
use crate::stdout::print;

/// Prints the support bundle for the configuration at `path` (`None` for the one that the service uses).
///
/// # Errors
/// Never. The return type is that of all commands.
pub fn run(path: Option<&Path>) -> Result<(), Fatal> {
    let path = path.map(Path::to_owned).or_else(service::config_path);
    print(&collect(&path.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH))))
}

/// Returns the support bundle.
fn collect(path: &Path) -> String {
    let folders = Folders::from_environment();
    let socket = socket_client::socket(&folders);
    let ask = |target: &str| match socket_client::get(&socket, target) {
        Some(Answer { status: 200, body }) => String::from_utf8_lossy(&body).into_owned(),
        Some(Answer { status, .. }) => format!("the daemon has answered {status}"),
        None => format!("no daemon answers at {}", socket.display()),
    };
    let status = ask("/v1/status");
    let is_running = status.trim_start().starts_with('{');
    let mut bundle = Bundle::default();
    bundle.section("support bundle of gatepost", &heading(path));
    bundle.section("system", &programs::system());
    bundle.section("packages", &programs::packages());
    bundle.section("status", &indent(&status));
    bundle.section("check", &programs::check(path, is_running));
    bundle.section("check of the configuration", &programs::check_config(path));
    for file in config::list_files(path).iter().filter(|file| !file.is_dir()) {
        bundle.section(&format!("configuration {}", file.display()), &config::show(file));
    }
    bundle.section("files", &files::list(path, &folders));
    bundle.section("units", &programs::units());
    bundle.section("journal", &programs::journal());
    bundle.section("metrics", &ask("/metrics"));
    bundle.0
}

fn heading(path: &Path) -> String {
    format!(
        "made at {} by gatepostd {} as uid {}\nconfiguration: {}\n",
        rfc3339(SystemTime::now()),
        crate::build_info::VERSION_AND_COMMIT,
        rustix::process::geteuid().as_raw(),
        path.display()
    )
}

/// Indents a JSON document. Other text is returned unchanged.
fn indent(text: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(document) => format!("{document:#}"),
        Err(_) => text.to_owned(),
    }
}

#[derive(Default)]
struct Bundle(String);

impl Bundle {
    /// Adds a section. Its text may be foreign.
    fn section(&mut self, title: &str, text: &str) {
        let text = Redaction::remove_secrets(text);
        let lines = text.lines().map(|line| visible(line) + "\n");
        let text: String = lines.collect();
        self.0.push_str(&format!("==== {} ====\n{text}\n", visible(title)));
    }
}

/// Makes a line safe to show. Its indentation is kept.
fn visible(line: &str) -> String {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}", " ".repeat(blanks), foreign_text::one_line(line))
}
