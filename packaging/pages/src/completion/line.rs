//! A command line, as the shells complete it.

use gatepost_client::command_line::{Command, CommandOption, GLOBAL_OPTIONS, Operand};

use crate::help::Flag;

/// The source of completions for a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Values {
    Files,
    Users,
    RoleAliases,
    Commands,
    /// One of these words.
    Words(Vec<String>),
    Nothing,
}

/// Fields of the status that are used most.
const FIELDS: &str = "state summary identity.thing_name identity.certificate_id identity.not_after identity.phase \
                      provisioning.phase session.phase session.problem.message token.phase clock.phase messages.queued \
                      messages.parked log_level.level";

impl Values {
    /// Finds the completions for a value by its placeholder in the help.
    pub(super) fn of_placeholder(placeholder: &str) -> Self {
        // A word in capitals is the name of another value.
        let words = |text: &str, separator: char| {
            let words = text
                .split(separator)
                .filter(|word| !word.contains(|letter: char| letter.is_ascii_uppercase()));
            Self::Words(words.map(str::to_owned).collect())
        };
        match placeholder.trim_matches(['[', ']']) {
            "FILE" | "PATH" | "DIR" => Self::Files,
            "USER" => Self::Users,
            "ALIAS" => Self::RoleAliases,
            "COMMAND" => Self::Commands,
            "FIELD" => words(FIELDS, ' '),
            choice if choice.contains('|') => words(choice, '|'),
            _ => Self::Nothing,
        }
    }

    fn of_operand(operand: Option<&Operand>) -> Self {
        operand.map_or(Self::Nothing, |operand| Self::of(operand.choices, operand.name))
    }

    /// Finds the completions for a word of the command table.
    fn of(choices: &[&str], placeholder: &str) -> Self {
        match choices.is_empty() {
            true => Self::of_placeholder(placeholder),
            false => Self::Words(choices.iter().map(|choice| (*choice).to_owned()).collect()),
        }
    }
}

/// A command line to complete.
pub(super) struct Line {
    /// The command, such as `status`; empty for a program without commands.
    pub(super) command: &'static str,
    pub(super) summary: &'static str,
    /// The words that may come first after the command.
    pub(super) verbs: Vec<VerbLine>,
    /// The completion of the first operand of a command without verbs.
    pub(super) argument: Values,
    pub(super) flags: Vec<CompletedFlag>,
}

/// A verb of a command.
pub(super) struct VerbLine {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// The completions for the word after it.
    pub(super) argument: Values,
}

/// An option of a command.
pub(super) struct CompletedFlag {
    /// The name, such as `--json`.
    pub(super) name: String,
    /// Its value, if it takes one: the placeholder, and the completions.
    pub(super) value: Option<(String, Values)>,
    pub(super) meaning: String,
}

impl Line {
    pub(super) fn of_command(command: &'static Command) -> Self {
        let verbs = command.forms.iter().filter_map(|form| {
            Some(VerbLine {
                name: form.verb?.name,
                summary: form.summary,
                argument: Values::of_operand(form.operands.first()),
            })
        });
        let operand = command
            .forms
            .iter()
            .find_map(|form| form.verb.is_none().then(|| form.operands.first())?);
        // --version is not an option of a command.
        let global = GLOBAL_OPTIONS.iter().filter(|option| option.name != "--version");
        Self {
            command: command.name,
            summary: command.summary,
            verbs: verbs.collect(),
            argument: Values::of_operand(operand),
            flags: command.options.iter().chain(global).map(CompletedFlag::of).collect(),
        }
    }

    pub(super) fn of_program(flags: Vec<CompletedFlag>) -> Self {
        Self {
            command: "",
            summary: "",
            verbs: Vec::new(),
            argument: Values::Nothing,
            flags,
        }
    }
}

impl CompletedFlag {
    pub(super) fn of(option: &CommandOption) -> Self {
        let value = option.value;
        Self {
            name: option.name.to_owned(),
            value: value.map(|value| (value.to_owned(), Values::of(option.choices, value))),
            meaning: option.summary.to_owned(),
        }
    }
}

impl From<Flag> for CompletedFlag {
    fn from(flag: Flag) -> Self {
        let values = |value: String| (value.clone(), Values::of_placeholder(&value));
        Self {
            name: flag.name,
            value: flag.value.map(values),
            meaning: flag.meaning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_says_what_completes_it() {
        let words = |words: &[&str]| Values::Words(words.iter().map(|word| (*word).to_owned()).collect());
        for (placeholder, completed) in [
            ("FILE", Values::Files),
            ("[ALIAS]", Values::RoleAliases),
            ("USER", Values::Users),
            ("0|1", words(&["0", "1"])),
            ("ID|queued|parked", words(&["queued", "parked"])),
            ("TOPIC", Values::Nothing),
        ] {
            assert_eq!(Values::of_placeholder(placeholder), completed, "{placeholder}");
        }
    }

    #[test]
    fn choices_of_the_table_complete_their_word() {
        let line = |name: &str| Line::of_command(gatepost_client::command_line::find(name).unwrap());
        let words = |values: &Values| match values {
            Values::Words(words) => words.join(" "),
            other => panic!("{other:?}"),
        };
        assert_eq!(words(&line("log-level").argument), "error warn info debug trace");
        let wait = line("wait");
        let states = wait.flags.iter().find(|flag| flag.name == "--for").unwrap();
        assert_eq!(words(&states.value.as_ref().unwrap().1), "ready csr certificate");
    }
}
