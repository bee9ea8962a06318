use proptest::prelude::*;

use super::draw;
use crate::json::Value;
use crate::terminal::Terminal;

fn screen(document: &str) -> String {
    draw(&Value::parse(document.as_bytes()).unwrap(), Terminal::plain())
}

#[test]
fn a_gateway_that_is_ready() {
    let document = include_str!("ready.json");
    assert_eq!(screen(document), include_str!("ready.txt"));
}

#[test]
fn a_gateway_that_is_being_provisioned() {
    let document = include_str!("attention.json");
    assert_eq!(screen(document), include_str!("attention.txt"));
}

#[test]
fn credentials_files_have_a_title_that_fits_into_its_column() {
    let files = r#"{ "phase": "written", "files": [{ "path": "/run/gatepost/files/camera-telemetry.aws" }] }"#;
    let document = include_str!("ready.json").replacen('{', &format!(r#"{{ "credentials_files": {files},"#), 1);
    let text = screen(&document);
    assert!(
        text.contains("\nFiles         written\n              /run/gatepost/files/camera-telemetry.aws\n"),
        "{text}"
    );
}

#[test]
fn a_credentials_file_that_failed_is_marked_with_its_cause_and_next_step() {
    let files = r#"{ "phase": "waiting",
        "problem": { "remedy": "configuration", "message": "everything at once", "next_step": "all steps" },
        "files": [
            { "path": "/run/a.aws", "state": "written", "expiration": "2026-11-22T20:00:00Z", "problem": null, "next_step": null },
            { "path": "/srv/b.env", "state": "failed", "expiration": null,
              "problem": "the folder /srv does not exist; next: install -d /srv", "next_step": "install -d /srv" },
            { "path": "/run/c.aws", "state": "failed", "problem": "no advice", "next_step": null },
            { "path": "/run/d.aws", "state": "no-credentials", "problem": null, "next_step": null }
        ] }"#;
    let document = include_str!("ready.json").replacen('{', &format!(r#"{{ "credentials_files": {files},"#), 1);
    let text = screen(&document);
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("Files"))
        .take_while(|line| !line.is_empty())
        .map(str::trim_end)
        .collect();
    let expires = lines[1].strip_prefix("              /run/a.aws: written, ");
    assert!(expires.is_some_and(|rest| rest.starts_with("expire")), "{text}");
    assert_eq!(lines[0], "Files         waiting");
    assert_eq!(
        lines[2..],
        [
            "              /srv/b.env: failed",
            "              problem: the folder /srv does not exist",
            "              next: install -d /srv",
            "              /run/c.aws: failed",
            "              problem: no advice",
            "              /run/d.aws: no credentials",
        ]
    );
}

#[test]
fn a_wrong_clock_is_shown_and_changes_no_end_of_credentials() {
    for (skew, shown, expires) in [
        ("0", None, "expires in 42 min"),
        ("null", None, "expires in 42 min"),
        ("-3", Some("3 s behind AWS's clock"), "expires in 41 min"),
        ("-1200", Some("20 min behind AWS's clock"), "expires in 22 min"),
        ("1200", Some("20 min ahead of AWS's clock"), "expires in 62 min"),
        ("-7200", Some("2 h behind AWS's clock"), "expired 78 min ago"),
        ("86400", Some("24 h ahead of AWS's clock"), "expires in 24 h"),
        ("1.5", None, "expires in 42 min"),
    ] {
        let document = include_str!("ready.json").replace(
            r#""clock": { "phase": "set","#,
            &format!(r#""clock": {{ "phase": "set", "skew_seconds": {skew},"#),
        );
        let text = screen(&document);
        assert!(text.contains(expires), "{skew}: {text}");
        assert!(shown.is_none_or(|shown| text.contains(shown)), "{skew}: {text}");
        assert_eq!(shown.is_some(), text.contains("AWS's clock"), "{skew}: {text}");
    }
}

#[test]
fn one_screen_wide_and_high() {
    for text in [include_str!("ready.txt"), include_str!("attention.txt")] {
        assert!(
            text.lines().count() <= 24 && text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
}

#[test]
fn missing_values_are_left_out_and_unknown_ones_are_shown_unchanged() {
    for (document, shown) in [
        ("{}", "gatepost's state: unknown"),
        (
            r#"{"state":7,"role_aliases":{},"session":[]}"#,
            "gatepost's state: unknown",
        ),
        (r#"{"state":"dreaming"}"#, "gatepost's state: dreaming"),
        (r#"{"role_aliases":[{}]}"#, "Role alias    (no name): unknown"),
        (
            r#"{"clock":{"phase":"set","since":"yesterday"}}"#,
            "Clock         set, since yesterday",
        ),
        (r#"{"clock":{"phase":"\u001b[2J"}}"#, "Clock         \u{fffd}[2J"),
        (
            r#"{"now":"2026-11-30T12:00:00Z","session":{"phase":"connected","taken_over":{"times":7,"since":"2026-11-30T11:00:00Z","last":"2026-11-30T11:59:00Z"}}}"#,
            "taken over 7 times since",
        ),
        (
            r#"{"session":{"phase":"connected","taken_over":{"times":"x"}}}"#,
            "MQTT session  connected\n",
        ),
        (
            r#"{"token":{"problem":{"remedy":"pray","message":"m"}}}"#,
            "problem: m\n",
        ),
        (
            r#"{"token":{"problem":{"remedy":"wait","message":"m"}}}"#,
            "next: wait; this resolves itself\n",
        ),
    ] {
        assert!(screen(document).contains(shown), "{document}: {}", screen(document));
    }
}

#[test]
fn colours_only_when_wanted() {
    let document = Value::parse(include_bytes!("attention.json")).unwrap();
    let escape = '\u{1b}';
    let coloured = Terminal {
        colours: true,
        ..Terminal::plain()
    };
    assert!(draw(&document, coloured).contains(escape));
    assert!(!draw(&document, Terminal::plain()).contains(escape));
}

proptest! {
    /// The screen is drawn whichever value is replaced by another one.
    #[test]
    fn every_document_is_drawn(value in "[0-9]{1,25}|\"[ -!#-\\[\\]-~]{0,30}\"|\\[\\]|\\{\\}|null|true", at in any::<prop::sample::Index>()) {
        let document = include_str!("attention.json");
        let places: Vec<_> = document.match_indices(": ").collect();
        let (start, _) = places[at.index(places.len())];
        let line_end = document[start..].find('\n').map_or(document.len(), |end| start + end);
        let text = format!("{}: {value},{}", &document[..start], &document[line_end..]);
        if let Ok(document) = Value::parse(text.as_bytes()) {
            prop_assert!(!draw(&document, Terminal::plain()).is_empty());
        }
    }
}

#[test]
fn lines_break_at_the_width_of_the_terminal() {
    let document = Value::parse(include_bytes!("attention.json")).unwrap();
    for columns in [50, 66, 80, 120] {
        let screen = draw(
            &document,
            Terminal {
                columns,
                ..Terminal::plain()
            },
        );
        let too_long = |line: &&str| line.chars().count() > columns && line.trim().contains(' ');
        let longest = screen.lines().find(too_long);
        // A word that is longer than the column is not broken.
        assert!(
            longest.is_none_or(|line| line.split_whitespace().any(|word| word.len() > columns - 40)),
            "{longest:?}"
        );
    }
    let lines = |columns| {
        let terminal = Terminal {
            columns,
            ..Terminal::plain()
        };
        draw(&document, terminal).lines().count()
    };
    assert!(lines(50) > lines(120));
}
