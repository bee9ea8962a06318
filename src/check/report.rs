//! The report of a check, as lines for people or a document for programs.

use serde::Serialize;

use super::lines::{Check, CheckSubject};
use crate::foreign_text;
use crate::overview::{Severity, worst_exit};
use crate::problem::{Exit, Fatal, Problem};

/// Introduces a next step. On a line of its own, it introduces a block of lines.
pub(super) const NEXT_STEP: &str = "next:";

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is in order.
    Ok,
    /// It works, but should be looked at.
    Warn,
    /// It does not work. The exit code tells the kind of fault.
    Fail(Exit),
    /// Not checked, because of an earlier line.
    Skip,
}

/// The lines of a report, in order.
#[derive(Debug, Default)]
pub struct Report(Vec<Line>);

#[derive(Debug)]
struct Line {
    check: Check,
    /// The checked object, if the check has several: a role alias.
    subject: Option<String>,
    /// The identifier of the problem in the status.
    problem: Option<String>,
    outcome: Outcome,
    message: String,
    next_step: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    state: &'a str,
    exit_code: u8,
    checks: Vec<LineDocument<'a>>,
}

#[derive(Serialize)]
struct LineDocument<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    name: String,
    outcome: &'a str,
    message: &'a str,
    next_step: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl Line {
    fn name(&self) -> String {
        match &self.subject {
            Some(subject) => format!("{} {subject}", self.check.name),
            None => self.check.name.to_owned(),
        }
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
            Self::Skip => "skip",
        }
    }
}

impl From<Severity> for Outcome {
    fn from(severity: Severity) -> Self {
        match severity.exit() {
            Some(exit) => Self::Fail(exit),
            None => Self::Warn,
        }
    }
}

/// Makes the lines of a text safe to show, and indents all but the first.
fn indented(text: &str, indent: &str) -> String {
    let lines: Vec<String> = text.lines().map(foreign_text::one_line).collect();
    lines.join(&format!("\n{indent}"))
}

impl Report {
    /// Returns the position after the last line.
    pub fn end(&self) -> usize {
        self.0.len()
    }

    /// Inserts the lines that `add` creates at an earlier position, for results that are known late.
    pub fn insert(&mut self, position: usize, add: impl FnOnce(&mut Self)) {
        let mut lines = Self::default();
        add(&mut lines);
        let position = position.min(self.0.len());
        self.0.splice(position..position, lines.0);
    }

    /// Adds a line with the outcome `Ok`.
    pub fn ok(&mut self, check: impl Into<CheckSubject>, message: impl Into<String>) {
        self.add(check, Outcome::Ok, message.into(), None);
    }

    /// Adds a warning.
    pub fn warn(&mut self, check: impl Into<CheckSubject>, problem: &Problem) {
        self.add_problem(check, Outcome::Warn, problem);
    }

    /// Adds a failure with this exit code.
    pub fn fail(&mut self, check: impl Into<CheckSubject>, exit: Exit, problem: &Problem) {
        self.add_problem(check, Outcome::Fail(exit), problem);
    }

    /// Adds a failure whose exit code follows from who can fix the problem.
    pub fn failed(&mut self, check: impl Into<CheckSubject>, problem: &Problem) {
        let exit = Severity::from(problem.remedy).exit().unwrap_or(Exit::Unavailable);
        self.fail(check, exit, problem);
    }

    /// Adds a line with the outcome `Skip`.
    pub fn skip(&mut self, check: impl Into<CheckSubject>, why: impl Into<String>) {
        self.add(check, Outcome::Skip, why.into(), None);
    }

    fn add_problem(&mut self, check: impl Into<CheckSubject>, outcome: Outcome, problem: &Problem) {
        self.add(check, outcome, problem.message.clone(), problem.next_step.as_deref());
    }

    /// Adds a line.
    pub fn add(&mut self, check: impl Into<CheckSubject>, outcome: Outcome, message: String, next_step: Option<&str>) {
        let CheckSubject { check, subject } = check.into();
        self.0.push(Line {
            check,
            subject,
            problem: None,
            outcome,
            message,
            next_step: next_step.map(str::to_owned),
        });
    }

    /// Sets the identifier that the last line's problem has in the status.
    pub fn name_problem(&mut self, id: &str) {
        if let Some(last) = self.0.last_mut() {
            last.problem = Some(id.to_owned());
        }
    }

    /// Returns the lines for people.
    pub fn text(&self) -> String {
        let width = self.0.iter().map(|line| line.name().chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for line in &self.0 {
            let word = match line.outcome {
                // In capitals, so that it stands out without colours.
                Outcome::Fail(_) => "FAIL",
                other => other.word(),
            };
            let indent = " ".repeat(8 + width);
            let message = indented(&line.message, &indent);
            text.push_str(&format!("{word:<4}  {:<width$}  {message}\n", line.name()));
            match &line.next_step {
                // Multiple lines, such as an access rule, are shown as a block that can be copied.
                Some(step) if step.trim().contains('\n') => {
                    text.push_str(&format!(
                        "{indent}{}\n{indent}{}\n",
                        NEXT_STEP,
                        indented(step.trim(), &indent)
                    ));
                }
                Some(step) => text.push_str(&format!("{indent}{NEXT_STEP} {}\n", foreign_text::one_line(step))),
                None => {}
            }
        }
        text
    }

    /// Returns a JSON document for programs.
    pub fn json(&self) -> String {
        let checks = self.0.iter().map(|line| LineDocument {
            id: line.check.id,
            subject: line.subject.as_deref(),
            name: line.name(),
            outcome: line.outcome.word(),
            message: &line.message,
            next_step: line.next_step.as_deref(),
            problem: line.problem.as_deref(),
        });
        let document = Document {
            state: self.worst().word(),
            exit_code: match self.worst() {
                Outcome::Fail(exit) => exit as u8,
                _ => 0,
            },
            checks: checks.collect(),
        };
        // Serialising strings cannot fail.
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Returns the result of the command.
    ///
    /// # Errors
    /// When a check has failed, with the exit code of the worst failure.
    pub fn verdict(&self) -> Result<(), Fatal> {
        let Outcome::Fail(exit) = self.worst() else {
            return Ok(());
        };
        let failed = self.0.iter().filter(|line| matches!(line.outcome, Outcome::Fail(_)));
        let (failed, all) = (failed.count(), self.0.len());
        Err(Fatal::new(
            exit,
            Problem::wait(format!("{failed} of {all} checks failed")),
        ))
    }

    fn worst(&self) -> Outcome {
        let failures = self.0.iter().filter_map(|line| match line.outcome {
            Outcome::Fail(exit) => Some(exit),
            _ => None,
        });
        match worst_exit(failures) {
            Some(exit) => Outcome::Fail(exit),
            None if self.0.iter().any(|line| line.outcome == Outcome::Warn) => Outcome::Warn,
            None => Outcome::Ok,
        }
    }
}

#[cfg(test)]
mod tests;
