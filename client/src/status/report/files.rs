//! The lines of the status screen for the credentials files.

use crate::json::Value;
use crate::status::screen::{Colour, Screen};

/// Draws each file with its state, and what is wrong with it.
pub(super) fn credentials_files(screen: &mut Screen, files: &Value) {
    if !files.is_object() {
        return;
    }
    let all = files.get("files").items();
    let path = |file: &Value| file.get("path").text().map(str::to_owned);
    // A daemon before 0.2 says only which files there are, and what is wrong with all of them.
    if all.iter().any(|file| file.get("state").text().is_none()) {
        let details: Vec<Option<String>> = all.iter().map(path).collect();
        return screen.part("Files", "", files, &details);
    }
    screen.phase("Files", "", files);
    for file in all {
        let state = file.get("state").text().unwrap_or_default().replace('-', " ");
        let line = format!("{}: {state}", path(file).unwrap_or_default());
        screen.details(&[Some(line), screen.expiry(file.get("expiration"))]);
        let step = file.get("next_step").text();
        if let Some(problem) = file.get("problem").text() {
            // The problem ends with the next step, for programs that show nothing else.
            let cause = step.and_then(|step| problem.strip_suffix(step)?.strip_suffix("; next: "));
            screen.fault(cause.unwrap_or(problem), step, Colour::Red);
        }
    }
}
