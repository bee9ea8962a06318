//! What the checks have found, as lines for people or a document for programs.

use serde::Serialize;

use crate::foreign_text;
use crate::problem::{Exit, Fatal, Problem, Remedy};

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
pub struct Report(Vec<Finding>);

#[derive(Debug)]
struct Finding {
    name: String,
    outcome: Outcome,
    message: String,
    next_step: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    state: &'a str,
    checks: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    outcome: &'a str,
    message: &'a str,
    next_step: Option<&'a str>,
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

impl Report {
    /// As it should be.
    pub fn ok(&mut self, name: &str, message: impl Into<String>) {
        self.add(name, Outcome::Ok, message.into(), None);
    }

    /// It works, and somebody should look at it.
    pub fn warn(&mut self, name: &str, problem: &Problem) {
        self.add(
            name,
            Outcome::Warn,
            problem.message.clone(),
            problem.next_step.as_deref(),
        );
    }

    /// It does not work.
    pub fn fail(&mut self, name: &str, exit: Exit, problem: &Problem) {
        self.add(
            name,
            Outcome::Fail(exit),
            problem.message.clone(),
            problem.next_step.as_deref(),
        );
    }

    /// It does not work; who can mend it says the exit code.
    pub fn failed(&mut self, name: &str, problem: &Problem) {
        let exit = match problem.remedy {
            Remedy::None | Remedy::Wait => Exit::Unavailable,
            Remedy::Configuration | Remedy::Factory => Exit::Configuration,
        };
        self.fail(name, exit, problem);
    }

    /// Not looked at.
    pub fn skip(&mut self, name: &str, why: impl Into<String>) {
        self.add(name, Outcome::Skip, why.into(), None);
    }

    /// With whatever outcome.
    pub fn add(&mut self, name: &str, outcome: Outcome, message: String, next_step: Option<&str>) {
        self.0.push(Finding {
            name: name.to_owned(),
            outcome,
            message,
            next_step: next_step.map(str::to_owned),
        });
    }

    /// Lines for people.
    pub fn text(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|finding| finding.name.chars().count())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for finding in &self.0 {
            let word = match finding.outcome {
                // Found at a glance where nothing has colours.
                Outcome::Fail(_) => "FAIL",
                other => other.word(),
            };
            let indent = " ".repeat(8 + width);
            // Findings quote others. One that has several lines has them on purpose.
            let lines = finding.message.lines().map(foreign_text::one_line);
            let message = lines.collect::<Vec<_>>().join(&format!("\n{indent}"));
            text.push_str(&format!("{word:<4}  {:<width$}  {message}\n", finding.name));
            if let Some(step) = &finding.next_step {
                text.push_str(&format!("{indent}next: {}\n", foreign_text::one_line(step)));
            }
        }
        text
    }

    /// A document for programs.
    pub fn json(&self) -> String {
        let checks = self.0.iter().map(|finding| Line {
            name: &finding.name,
            outcome: finding.outcome.word(),
            message: &finding.message,
            next_step: finding.next_step.as_deref(),
        });
        let document = Document {
            state: self.worst().word(),
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
    /// With the exit code of the worst: a PIN before a configuration before what comes by itself.
    pub fn verdict(&self) -> Result<(), Fatal> {
        let Outcome::Fail(exit) = self.worst() else {
            return Ok(());
        };
        let failed = self
            .0
            .iter()
            .filter(|finding| matches!(finding.outcome, Outcome::Fail(_)));
        let (failed, all) = (failed.count(), self.0.len());
        Err(Fatal::new(
            exit,
            Problem::wait(format!("{failed} of {all} checks failed")),
        ))
    }

    fn worst(&self) -> Outcome {
        let rank = |outcome: &Outcome| match outcome {
            Outcome::Ok | Outcome::Skip => 0,
            Outcome::Warn => 1,
            Outcome::Fail(Exit::Pin) => 4,
            Outcome::Fail(Exit::Configuration) => 3,
            Outcome::Fail(_) => 2,
        };
        let worst = self.0.iter().map(|finding| finding.outcome).max_by_key(rank);
        worst.filter(|worst| rank(worst) > 0).unwrap_or(Outcome::Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let mut report = Report::default();
        report.ok("clock", "right");
        report.skip("key", "no token");
        assert!(report.verdict().is_ok());
        report.warn("certificate", &Problem::wait("ends soon"));
        assert!(report.verdict().is_ok());
        assert!(report.json().contains("\"state\": \"warn\""));
        report.failed("DNS", &Problem::wait("no answer").next("wait"));
        assert_eq!(report.verdict().unwrap_err().exit, Exit::Unavailable);
        report.failed("policy", &Problem::configuration("says no"));
        assert_eq!(report.verdict().unwrap_err().exit, Exit::Configuration);
        report.fail("PIN", Exit::Pin, &Problem::factory("wrong"));
        let verdict = report.verdict().unwrap_err();
        assert_eq!(
            (verdict.exit, verdict.to_string().as_str()),
            (Exit::Pin, "3 of 6 checks failed")
        );
        assert!(
            report
                .text()
                .contains("FAIL  DNS          no answer\n                   next: wait\n"),
            "{}",
            report.text()
        );
    }
}
