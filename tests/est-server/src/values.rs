//! Parses the values of the command line's options.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use est_server::{AnswerFault, Fault, User};

/// Parses one of the words that an option accepts.
pub(crate) fn choose<T: Clone>(option: &str, word: &str, choices: &[(&str, T)]) -> Result<T, Box<dyn Error>> {
    let found = choices.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("--{option} {word:?}: it is one of {}", names.join(", ")).into()
    })
}

/// Parses `KIND[=VALUE][xN]`.
pub(crate) fn fault(text: &str) -> Result<Fault, Box<dyn Error>> {
    let (kind, times) = match text.rsplit_once('x') {
        Some((kind, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            (kind, Some(digits.parse()?))
        }
        _ => (text, None),
    };
    let (name, value) = match kind.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (kind, None),
    };
    let kind = match (name, value) {
        ("wait", after) => AnswerFault::Wait(after.map(str::to_owned)),
        ("status", Some(code)) => AnswerFault::Status(code.parse()?),
        ("redirect", Some(to)) => AnswerFault::Redirect(to.to_owned()),
        ("slow", Some(pause)) => AnswerFault::SlowBody(Duration::from_millis(pause.parse()?)),
        ("lost", None) => AnswerFault::LostAfterIssue,
        ("closed", None) => AnswerFault::Closed,
        ("cut", None) => AnswerFault::CutBody,
        ("huge", None) => AnswerFault::HugeBody,
        ("hang", None) => AnswerFault::Hang,
        _ => return Err(format!("{text:?} is not a fault; est-server --help lists them").into()),
    };
    Ok(Fault { kind, times })
}

/// Parses `NAME:FILE`. A secret on the command line would be visible to every user of the machine.
pub(crate) fn user(text: &str, one_time: bool) -> Result<User, Box<dyn Error>> {
    let (name, file) = text.split_once(':').ok_or("a user is NAME:FILE")?;
    Ok(User {
        name: name.to_owned(),
        secret: read(Path::new(file))?.trim_end_matches(['\r', '\n']).to_owned(),
        one_time,
    })
}

pub(crate) fn read(path: &Path) -> Result<String, Box<dyn Error>> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_values_and_counts() {
        for (text, expected) in [
            ("wait", Some(AnswerFault::Wait(None).forever())),
            ("wait=30x2", Some(AnswerFault::Wait(Some("30".to_owned())).times(2))),
            ("status=503", Some(AnswerFault::Status(503).forever())),
            ("status=401x1", Some(AnswerFault::Status(401).times(1))),
            (
                "redirect=https://example.org/x",
                Some(AnswerFault::Redirect("https://example.org/x".to_owned()).forever()),
            ),
            ("lostx1", Some(AnswerFault::LostAfterIssue.times(1))),
            (
                "slow=20",
                Some(AnswerFault::SlowBody(Duration::from_millis(20)).forever()),
            ),
            ("huge", Some(AnswerFault::HugeBody.forever())),
            ("status", None),
            ("status=many", None),
            ("lost=1", None),
            ("other", None),
            ("", None),
        ] {
            assert_eq!(fault(text).ok(), expected, "{text}");
        }
    }
}
