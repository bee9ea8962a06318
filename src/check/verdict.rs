//! The verdict of the running daemon, from its status document. A check repeats it, and does not judge anything itself.

use serde_json::Value;

use super::lines::{Check, CheckSubject, STATE};
use super::report::{Outcome, Report};
use crate::overview::Severity;
use crate::problem::{Exit, Problem};

/// The verdict of the running daemon: exit code, summary and findings.
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
    is_reported: bool,
}

impl Verdict {
    /// Reads the verdict from a status document; `None` for a daemon of an older version.
    pub fn read(status: &Value) -> Option<Self> {
        let findings = status.get("problems")?.as_array()?.iter().filter_map(Finding::read);
        Some(Self {
            exit_code: u8::try_from(status.get("exit_code")?.as_u64()?).ok()?,
            summary: status.get("summary")?.as_str()?.to_owned(),
            findings: findings.collect(),
        })
    }

    /// Returns whether a part has findings that were not reported yet.
    pub fn has(&self, part: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| !finding.is_reported && finding.part == part)
    }

    /// Returns whether there are findings of these kinds.
    pub fn has_any(&self, ids: &[&str]) -> bool {
        self.findings.iter().any(|finding| ids.contains(&finding.id.as_str()))
    }

    /// Returns whether there are findings about a role alias.
    pub fn has_alias(&self, alias: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.role_alias.as_deref() == Some(alias))
    }

    /// Reports the state of the whole gateway.
    pub fn report_state(&self, report: &mut Report) {
        let outcome = match self.exit_code {
            0 => Outcome::Ok,
            code => Outcome::Fail(Exit::from_query(code)),
        };
        report.add(STATE, outcome, self.summary.clone(), None);
    }

    /// Reports a part: a line for each finding, or one with `found` if there is none. Returns whether there was none.
    pub fn report_part(&mut self, part: &str, check: Check, found: impl Into<String>, report: &mut Report) -> bool {
        self.report_matching(|finding| finding.part == part, check, found, report)
    }

    /// Reports a role alias in the same way.
    pub fn report_alias(&mut self, alias: &str, check: CheckSubject, found: String, report: &mut Report) -> bool {
        self.report_matching(
            |finding| finding.role_alias.as_deref() == Some(alias),
            check,
            found,
            report,
        )
    }

    /// Reports findings of some kinds in the same way.
    pub fn report_kinds(&mut self, ids: &[&str], check: Check, found: impl Into<String>, report: &mut Report) -> bool {
        self.report_matching(|finding| ids.contains(&finding.id.as_str()), check, found, report)
    }

    /// Reports the findings that no other line has reported.
    pub fn report_rest(&mut self, check: Check, report: &mut Report) {
        if self.findings.iter().any(|finding| !finding.is_reported) {
            self.report_matching(|_| true, check, String::new(), report);
        }
    }

    fn report_matching(
        &mut self,
        matches: impl Fn(&Finding) -> bool,
        check: impl Into<CheckSubject>,
        found: impl Into<String>,
        report: &mut Report,
    ) -> bool {
        let (subject, found) = (check.into(), found.into());
        let mut is_empty = true;
        for finding in self
            .findings
            .iter_mut()
            .filter(|finding| !finding.is_reported && matches(finding))
        {
            finding.is_reported = true;
            is_empty = false;
            let outcome = outcome_of(finding);
            let message = match outcome {
                Outcome::Warn if !found.is_empty() => format!("{found}\n{}", finding.message),
                _ => finding.message.clone(),
            };
            report.add(subject.clone(), outcome, message, finding.next_step.as_deref());
            report.name_problem(&finding.id);
        }
        if is_empty {
            report.ok(subject, found);
        }
        is_empty
    }
}

impl Finding {
    fn read(document: &Value) -> Option<Self> {
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            id: text("id")?,
            part: text("part")?,
            role_alias: text("role_alias"),
            severity: Severity::parse(&text("severity")?),
            message: text("message")?,
            next_step: text("next_step"),
            is_reported: false,
        })
    }
}

/// Returns the outcome for a finding. A rejected PIN has an exit code of its own.
fn outcome_of(finding: &Finding) -> Outcome {
    match (Outcome::from(finding.severity), finding.id.as_str()) {
        (Outcome::Fail(_), "token-pin") => Outcome::Fail(Exit::Pin),
        (other, _) => other,
    }
}

/// Returns the problem of a part that is not in its best phase although it has no findings.
pub fn not_yet(phase: &str) -> Problem {
    Problem::wait(format!("{phase}, so far"))
}
