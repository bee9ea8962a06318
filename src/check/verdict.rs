//! The daemon's verdict, as its status document tells it: a check repeats it, and judges nothing itself.

use serde_json::Value;

use super::lines::{Check, STATE};
use super::report::{About, Outcome, Report};
use crate::overview::Severity;
use crate::problem::{Exit, Problem};

/// The running daemon's own verdict: exit code, summary and findings.
#[derive(Debug)]
pub struct Verdict {
    exit_code: u8,
    summary: String,
    findings: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    id: String,
    part: String,
    role_alias: Option<String>,
    severity: Severity,
    message: String,
    next_step: Option<String>,
    is_told: bool,
}

impl Verdict {
    /// The verdict in a status document; `None` in that of an older daemon.
    pub fn read(status: &Value) -> Option<Self> {
        let findings = status.get("problems")?.as_array()?.iter().filter_map(Finding::read);
        Some(Self {
            exit_code: u8::try_from(status.get("exit_code")?.as_u64()?).ok()?,
            summary: status.get("summary")?.as_str()?.to_owned(),
            findings: findings.collect(),
        })
    }

    /// Whether something is amiss with a part that no line has told yet.
    pub fn has(&self, part: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| !finding.is_told && finding.part == part)
    }

    /// Whether something of these kinds is amiss.
    pub fn has_any(&self, ids: &[&str]) -> bool {
        self.findings.iter().any(|finding| ids.contains(&finding.id.as_str()))
    }

    /// Whether something is amiss with a role alias.
    pub fn has_alias(&self, alias: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.role_alias.as_deref() == Some(alias))
    }

    /// The line about the whole gateway.
    pub fn tell_state(&self, report: &mut Report) {
        let outcome = match self.exit_code {
            0 => Outcome::Ok,
            code => Outcome::Fail(Exit::of_looking_at(code)),
        };
        report.add(STATE, outcome, self.summary.clone(), None);
    }

    /// The lines about a part: one for each thing that is amiss, or else one that says what was found. Whether there was
    /// nothing.
    pub fn tell(&mut self, part: &str, check: Check, found: impl Into<String>, report: &mut Report) -> bool {
        self.tell_of(|finding| finding.part == part, check, found, report)
    }

    /// The same for one role alias.
    pub fn tell_of_alias(&mut self, alias: &str, check: About, found: String, report: &mut Report) -> bool {
        self.tell_of(
            |finding| finding.role_alias.as_deref() == Some(alias),
            check,
            found,
            report,
        )
    }

    /// The same for what some kinds of findings are about.
    pub fn tell_kinds(&mut self, ids: &[&str], check: Check, found: impl Into<String>, report: &mut Report) -> bool {
        self.tell_of(|finding| ids.contains(&finding.id.as_str()), check, found, report)
    }

    /// Reports the findings that no other line has reported.
    pub fn tell_the_rest(&mut self, check: Check, report: &mut Report) {
        if self.findings.iter().any(|finding| !finding.is_told) {
            self.tell_of(|_| true, check, String::new(), report);
        }
    }

    fn tell_of(
        &mut self,
        is_meant: impl Fn(&Finding) -> bool,
        check: impl Into<About>,
        found: impl Into<String>,
        report: &mut Report,
    ) -> bool {
        let (about, found) = (check.into(), found.into());
        let mut nothing = true;
        for finding in self
            .findings
            .iter_mut()
            .filter(|finding| !finding.is_told && is_meant(finding))
        {
            finding.is_told = true;
            nothing = false;
            let outcome = Outcome::from(finding.severity).unless_pin(&finding.id);
            let message = match outcome {
                Outcome::Warn if !found.is_empty() => format!("{found}\n{}", finding.message),
                _ => finding.message.clone(),
            };
            report.add(about.clone(), outcome, message, finding.next_step.as_deref());
            report.name_problem(&finding.id);
        }
        if nothing {
            report.ok(about, found);
        }
        nothing
    }
}

impl Finding {
    fn read(document: &Value) -> Option<Self> {
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            id: text("id")?,
            part: text("part")?,
            role_alias: text("role_alias"),
            severity: Severity::of_word(&text("severity")?),
            message: text("message")?,
            next_step: text("next_step"),
            is_told: false,
        })
    }
}

impl Outcome {
    /// A rejected PIN has an exit code of its own.
    fn unless_pin(self, id: &str) -> Self {
        match (self, id) {
            (Self::Fail(_), "token-pin") => Self::Fail(Exit::Pin),
            (other, _) => other,
        }
    }
}

/// The problem of a part that is not in its best phase although nothing is amiss.
pub fn not_yet(phase: &str) -> Problem {
    Problem::wait(format!("{phase}, so far"))
}
