//! The lines of the status screen about the certificate: whose it is, when it expires, and how the next one is obtained.

use super::screen::{Screen, named};
use crate::json::Value;

/// Shows the identity, and why a job of AWS IoT has not rotated its certificate.
pub(super) fn identity(screen: &mut Screen, identity: &Value, token: &Value) {
    // The beginning of the certificate ID is enough to recognise it. AWS's tools need all of it, which `gatepost status --json` shows.
    let certificate = identity.get("certificate_id").text().map(|id| {
        let short: String = id.chars().take(12).collect();
        format!("certificate {short}…")
    });
    // While there is no certificate, the way to get one matters most; the problem's next step usually names it.
    let untold = certificate.is_none() && identity.get("problem").get("message").text().is_none();
    let request = named("signing request", identity.get("csr_path")).filter(|_| untold);
    let place = named("certificate expected at", identity.get("certificate_path")).filter(|_| untold);
    let details = [
        named("thing", identity.get("thing_name")),
        certificate,
        named("key", identity.get("key")).filter(|_| identity.get("key").text() != token.get("key").text()),
        screen.expiry(identity.get("not_after")),
        request,
        place,
        enrolment(screen, identity.get("enrolment")),
        rotation(screen, identity.get("rotation")),
    ];
    screen.part("Identity", "", identity, &details);
    screen.problem(identity.get("rotation").get("problem"));
}

/// Shows when the next certificate will be requested, if enrolment is configured.
fn enrolment(screen: &Screen, enrolment: &Value) -> Option<String> {
    let next = enrolment.get("next_attempt");
    match enrolment.get("since").text() {
        Some(_) => screen.at("a new certificate is requested again", next),
        None => screen.at("renewal", next),
    }
}

/// Shows the job that rotates the certificate, if there is one, and what it waits for.
fn rotation(screen: &Screen, rotation: &Value) -> Option<String> {
    let job = named("rotation by job", rotation.get("job_id"))?;
    let step = rotation
        .get("step")
        .text()
        .map(|step| format!(": {}", rotation_step(step)));
    let since = screen
        .at("begun", rotation.get("since"))
        .map(|since| format!(", {since}"));
    Some(format!(
        "{job}{}{}",
        step.unwrap_or_default(),
        since.unwrap_or_default()
    ))
}

/// Says what a step of a rotation does. A step of a later version is shown by its name.
fn rotation_step(step: &str) -> &str {
    match step {
        "starting" => "waiting until AWS IoT Jobs lets it start",
        "requesting" => "waiting for a certificate from AWS's certificate rotator",
        "installing" => "checking the new certificate",
        "proving" => "trying to connect with the new certificate",
        "committing" => "waiting until AWS's certificate rotator has seen the new certificate in use",
        "succeeding" => "telling AWS IoT Jobs that it has succeeded",
        "returning" => "going back to the previous certificate",
        "failing" => "telling AWS IoT Jobs that it has failed",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant::Instant;
    use crate::terminal::Terminal;

    fn drawn(document: &str) -> String {
        let document = Value::parse(document.as_bytes()).unwrap();
        let mut screen = Screen::new(Instant::parse("2026-11-20T12:00:00Z"), Terminal::plain());
        identity(&mut screen, &document, &Value::Null);
        screen.finish().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_rotation_says_its_step_in_words_and_why_the_last_one_failed() {
        let problem =
            r#""problem": { "remedy": "wait", "message": "job a has brought no certificate", "next_step": "look" }"#;
        let running =
            |step: &str| format!(r#""job_id": "rotate-7", "step": "{step}", "since": "2026-11-20T11:58:00Z""#);
        for (rotation, shown) in [
            (
                running("starting"),
                "rotation by job rotate-7: waiting until AWS IoT Jobs lets it start, begun 2 min ago",
            ),
            (
                running("requesting"),
                "waiting for a certificate from AWS's certificate rotator, begun",
            ),
            (running("installing"), "rotate-7: checking the new certificate"),
            (
                running("proving"),
                "rotate-7: trying to connect with the new certificate",
            ),
            (running("committing"), "has seen the new certificate in use"),
            (running("succeeding"), "telling AWS IoT Jobs that it has succeeded"),
            (running("returning"), "going back to the previous certificate"),
            (running("failing"), "telling AWS IoT Jobs that it has failed"),
            (running("of-a-later-version"), "rotate-7: of-a-later-version, begun"),
            (r#""job_id": "rotate-7""#.to_owned(), "rotation by job rotate-7"),
            (
                problem.to_owned(),
                "problem: job a has brought no certificate next: look",
            ),
            (
                format!("{}, {problem}", running("proving")),
                "with the new certificate, begun 2 min ago problem: job a",
            ),
        ] {
            let text = drawn(&format!(r#"{{ "phase": "ready", "rotation": {{ {rotation} }} }}"#));
            assert!(text.contains(shown), "{rotation}: {text}");
        }
        for rotation in ["null", "{}", "7", r#"{ "job_id": null, "problem": null }"#] {
            let text = drawn(&format!(r#"{{ "phase": "ready", "rotation": {rotation} }}"#));
            assert_eq!(text, "Identity ready", "{rotation}");
        }
    }
}
