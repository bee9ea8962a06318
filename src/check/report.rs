//! What the checks have found, as lines for people or a document for programs.

use serde::Serialize;

use super::lines::Check;
use crate::foreign_text;
use crate::overview::{Severity, worst_exit};
use crate::problem::{Exit, Fatal, Problem};

/// Precedes a next step. Alone on its line, it precedes a block of lines.
pub(super) const NEXT_STEP: &str = "next:";

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work; the exit code says what kind of fault it is.
    Fail(Exit),
    /// Not looked at, because of something above.
    Skip,
}

/// Everything found, in its order.
#[derive(Debug, Default)]
pub struct Report(Vec<Line>);

#[derive(Debug)]
struct Line {
    check: Check,
    /// The object that the line is about, if the check has several: a role alias.
    subject: Option<String>,
    /// Identifier of the problem in the status.
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

/// Subject of a line: a check, and the checked object if there are several.
#[derive(Clone, Debug)]
pub struct About {
    check: Check,
    subject: Option<String>,
}

impl From<Check> for About {
    fn from(check: Check) -> Self {
        Self { check, subject: None }
    }
}

impl Check {
    /// One of several: a role alias.
    pub fn of(self, subject: &str) -> About {
        About {
            check: self,
            subject: Some(subject.to_owned()),
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
    /// The place after the last line.
    pub fn end(&self) -> usize {
        self.0.len()
    }

    /// Inserts the lines that `tell` adds at an earlier place: they are known late, and belong there.
    pub fn insert(&mut self, place: usize, tell: impl FnOnce(&mut Self)) {
        let mut lines = Self::default();
        tell(&mut lines);
        let place = place.min(self.0.len());
        self.0.splice(place..place, lines.0);
    }

    /// As it should be.
    pub fn ok(&mut self, check: impl Into<About>, message: impl Into<String>) {
        self.add(check, Outcome::Ok, message.into(), None);
    }

    /// It works, and somebody should look at it.
    pub fn warn(&mut self, check: impl Into<About>, problem: &Problem) {
        self.with(check, Outcome::Warn, problem);
    }

    /// It does not work.
    pub fn fail(&mut self, check: impl Into<About>, exit: Exit, problem: &Problem) {
        self.with(check, Outcome::Fail(exit), problem);
    }

    /// It does not work; who can mend it says the exit code.
    pub fn failed(&mut self, check: impl Into<About>, problem: &Problem) {
        let exit = Severity::from(problem.remedy).exit().unwrap_or(Exit::Unavailable);
        self.fail(check, exit, problem);
    }

    /// Not looked at.
    pub fn skip(&mut self, check: impl Into<About>, why: impl Into<String>) {
        self.add(check, Outcome::Skip, why.into(), None);
    }

    fn with(&mut self, check: impl Into<About>, outcome: Outcome, problem: &Problem) {
        self.add(check, outcome, problem.message.clone(), problem.next_step.as_deref());
    }

    /// With whatever outcome.
    pub fn add(&mut self, check: impl Into<About>, outcome: Outcome, message: String, next_step: Option<&str>) {
        let About { check, subject } = check.into();
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

    /// Lines for people.
    pub fn text(&self) -> String {
        let width = self.0.iter().map(|line| line.name().chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for line in &self.0 {
            let word = match line.outcome {
                // Found at a glance where nothing has colours.
                Outcome::Fail(_) => "FAIL",
                other => other.word(),
            };
            let indent = " ".repeat(8 + width);
            let message = indented(&line.message, &indent);
            text.push_str(&format!("{word:<4}  {:<width$}  {message}\n", line.name()));
            match &line.next_step {
                // The lines of a rule are copied, so they stand below the word.
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

    /// A document for programs.
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
        // Strings cannot fail to become JSON.
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    }

    /// An error if anything has failed.
    ///
    /// # Errors
    /// With the exit code of the worst.
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
mod tests {
    use super::super::lines::{AWS_CALL, CERTIFICATE, CLOCK, KEY, MQTT_DNS, PIN};
    use super::*;

    #[test]
    fn the_worst_decides() {
        let mut report = Report::default();
        report.ok(CLOCK, "right");
        report.skip(KEY, "no token");
        assert!(report.verdict().is_ok());
        report.warn(CERTIFICATE, &Problem::wait("ends soon"));
        assert!(report.verdict().is_ok());
        assert!(report.json().contains("\"state\": \"warn\""));
        report.failed(MQTT_DNS, &Problem::wait("no answer").next("wait"));
        assert_eq!(report.verdict().unwrap_err().exit, Exit::Unavailable);
        report.failed(AWS_CALL, &Problem::configuration("says no"));
        assert_eq!(report.verdict().unwrap_err().exit, Exit::Configuration);
        report.fail(PIN, Exit::Pin, &Problem::factory("wrong"));
        let verdict = report.verdict().unwrap_err();
        assert_eq!(
            (verdict.exit, verdict.to_string().as_str()),
            (Exit::Pin, "3 of 6 checks failed")
        );
        assert!(
            report
                .text()
                .contains("FAIL  MQTT endpoint: DNS  no answer\n                          next: wait\n"),
            "{}",
            report.text()
        );
    }

    #[test]
    fn a_next_step_keeps_its_lines() {
        let rule = "# to give it, add these lines to access.toml\n\n[[access]]\nuid = 1000\u{1b}[2J\nrole-aliases = [\"video\"]\n";
        let mut report = Report::default();
        report.ok(CLOCK, "right");
        report.add(AWS_CALL, Outcome::Warn, "no rule\ngives it".to_owned(), Some(rule));
        report.warn(KEY, &Problem::wait("x").next("one line\n"));
        let text = report.text();
        let indent = " ".repeat(8 + AWS_CALL.name.len());
        let block = [
            "next:",
            "# to give it, add these lines to access.toml",
            "",
            "[[access]]",
            "uid = 1000 [2J",
        ];
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let expected: Vec<String> = block
            .iter()
            .map(|line| format!("{indent}{line}").trim_end().to_owned())
            .collect();
        assert_eq!(lines[3..8], expected, "{text}");
        assert!(
            text.contains(&format!("{indent}role-aliases = [\"video\"]\nwarn  key")),
            "{text}"
        );
        assert!(text.ends_with(&format!("{indent}next: one line\n")), "{text}");
    }
}
