//! Consistency of the table, and of the help made from it.

use std::collections::BTreeMap;

use crate::command_line::help::{self, signature};
use crate::command_line::{COMMANDS, EXIT_CODES, GLOBAL_OPTIONS, find};

/// The parser recognises options before it knows the command.
#[test]
fn options_of_one_name_are_alike_in_every_command() {
    let mut arity = BTreeMap::new();
    let every = COMMANDS
        .iter()
        .flat_map(|command| command.options)
        .chain(GLOBAL_OPTIONS);
    for option in every {
        let kind = (option.value.is_some(), option.is_repeatable);
        assert_eq!(*arity.entry(option.name).or_insert(kind), kind, "{}", option.name);
        assert!(
            !option.is_repeatable || option.summary.contains("may be repeated"),
            "{}",
            option.name
        );
    }
}

#[test]
fn the_table_is_consistent() {
    for command in COMMANDS {
        let name = command.name;
        assert!(!command.forms.is_empty(), "{name}");
        let has_verbs = command.forms.iter().all(|form| form.verb.is_some());
        assert!(
            has_verbs || command.forms.len() == 1,
            "{name}: forms without a verb shadow each other"
        );
        for form in command.forms {
            for option in form.options {
                assert!(
                    command.options.iter().any(|known| known.name == *option),
                    "{name} {option}"
                );
            }
            let optional_from = form.operands.iter().position(|operand| !operand.is_required);
            let required_to = form.operands.iter().rposition(|operand| operand.is_required);
            assert!(
                optional_from.is_none() || required_to.is_none() || optional_from > required_to,
                "{name}"
            );
        }
        for option in command.options {
            let used = command.forms.iter().any(|form| form.options.contains(&option.name));
            assert!(used, "{name} {} belongs to no form", option.name);
        }
        for (code, _) in command.exit_codes {
            let known = [0, 67, 126, 127].contains(code) || EXIT_CODES.iter().any(|(known, _)| known == code);
            assert!(known, "{name}: exit code {code}");
        }
    }
}

#[test]
fn help_fits_a_terminal_and_names_everything() {
    for topic in COMMANDS.iter().map(Some).chain([None]) {
        let text = help::text(topic);
        let name = topic.map_or("overview", |command| command.name);
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{name}");
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(80), "{name}: {longest:?}\n{text}");
        assert!(text.lines().count() <= 48, "{name}\n{text}");
        let options = topic.map_or(GLOBAL_OPTIONS, |command| command.options);
        for option in options {
            assert!(text.contains(option.name) && text.contains(option.summary.split(' ').next().unwrap()));
        }
    }
    let overview = help::text(None);
    for command in COMMANDS {
        assert!(
            overview.contains(&format!("\n  {}", help::command_term(command))),
            "{}",
            command.name
        );
    }
}

#[test]
fn a_signature_shows_what_must_be_given() {
    let signatures = |name| {
        let command = find(name).unwrap();
        let lines: Vec<_> = command.forms.iter().map(|form| signature(command, form)).collect();
        lines.join("|")
    };
    assert_eq!(signatures("wait"), "gatepost wait [--for STATE] [--timeout SECONDS]");
    assert_eq!(
        signatures("sign"),
        "gatepost sign --service NAME --region REGION [OPTIONS] URL"
    );
    assert_eq!(signatures("publish"), "gatepost publish [OPTIONS] TOPIC [MESSAGE]");
    assert_eq!(
        signatures("subscriptions"),
        "gatepost subscriptions [list] [--json]|gatepost subscriptions delete NAME|gatepost subscriptions ack NAME ID"
    );
}
