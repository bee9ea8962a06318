//! What the shells complete.

mod bash;
mod fish;
mod zsh;

use gatepost_client::command_line::{COMMANDS, Command, CommandOption, GLOBAL_OPTIONS};

use crate::help::{self, Block, Flag};
use crate::programs::Programs;

/// A word that completes what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Values {
    Files,
    Users,
    RoleAliases,
    Commands,
    /// These, of which one is meant.
    Words(Vec<String>),
    Nothing,
}

/// Fields of the status that scripts and people ask for most.
const FIELDS: &str = "state summary identity.thing_name identity.certificate_id identity.not_after identity.phase \
                      provisioning.phase session.phase session.problem.message token.phase clock.phase messages.queued \
                      messages.parked log_level.level";

/// What stands for a value in the help, and so for what completes it.
fn values(placeholder: &str) -> Values {
    let words = |text: &str, between: char| {
        // What is in capitals stands for something else.
        let words = text
            .split(between)
            .filter(|word| !word.contains(|letter: char| letter.is_ascii_uppercase()));
        Values::Words(words.map(str::to_owned).collect())
    };
    match placeholder.trim_matches(['[', ']']) {
        "FILE" | "PATH" | "DIR" => Values::Files,
        "USER" => Values::Users,
        "ALIAS" => Values::RoleAliases,
        "COMMAND" => Values::Commands,
        "FIELD" => words(FIELDS, ' '),
        "STATE" => words("ready csr certificate", ' '),
        "LEVEL" => words("error warn info debug trace", ' '),
        choice if choice.contains('|') => words(choice, '|'),
        _ => Values::Nothing,
    }
}

/// A command line that is completed.
struct Line {
    /// `status`; empty for a program without commands.
    command: &'static str,
    summary: &'static str,
    /// The words that may stand first after the command.
    verbs: Vec<VerbLine>,
    /// What completes the first operand of a command without verbs.
    argument: Values,
    flags: Vec<Flag>,
}

/// A word after the command, and what it does.
struct VerbLine {
    name: &'static str,
    summary: &'static str,
    /// What completes the word after it.
    argument: Values,
}

impl Line {
    fn of_command(command: &'static Command) -> Self {
        let verbs = command.forms.iter().filter_map(|form| {
            let operand = form.operands.first();
            Some(VerbLine {
                name: form.verb?.name,
                summary: form.summary,
                argument: operand.map_or(Values::Nothing, |operand| values(operand.name)),
            })
        });
        let operand = command
            .forms
            .iter()
            .find_map(|form| form.verb.is_none().then(|| form.operands.first())?);
        // --version is no option of a command.
        let global = GLOBAL_OPTIONS.iter().filter(|option| option.name != "--version");
        Self {
            command: command.name,
            summary: command.summary,
            verbs: verbs.collect(),
            argument: operand.map_or(Values::Nothing, |operand| values(operand.name)),
            flags: command.options.iter().chain(global).map(flag).collect(),
        }
    }

    fn of_program(flags: Vec<Flag>) -> Self {
        Self {
            command: "",
            summary: "",
            verbs: Vec::new(),
            argument: Values::Nothing,
            flags,
        }
    }
}

fn flag(option: &CommandOption) -> Flag {
    Flag {
        name: option.name.to_owned(),
        value: option.value.map(str::to_owned),
        meaning: option.summary.to_owned(),
    }
}

/// What the role aliases are is the daemon's to tell; it answers at once, or not at all.
const ROLE_ALIASES: &str = r#"gatepost status --json 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d '"' -f 4"#;

/// Each script by its file's name.
pub(crate) fn scripts(programs: &Programs) -> Vec<(&'static str, String)> {
    let commands: Vec<Line> = COMMANDS.iter().map(Line::of_command).collect();
    let program = |blocks: &[Block]| Line::of_program(help::flags(blocks));
    let others = [
        ("gatepostd", program(&programs.gatepostd)),
        ("gatepost-tpm-setup", program(&programs.tpm_setup)),
    ];
    let own = Line::of_program(GLOBAL_OPTIONS.iter().map(flag).collect());
    vec![
        ("gatepost.bash", bash::script(&own, &commands, &others)),
        ("_gatepost", zsh::script(&own, &commands, &others)),
        ("gatepost.fish", fish::script(&own, &commands, &others)),
    ]
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
            ("LEVEL", words(&["error", "warn", "info", "debug", "trace"])),
            ("0|1", words(&["0", "1"])),
            ("ID|queued|parked", words(&["queued", "parked"])),
            ("STATE", words(&["ready", "csr", "certificate"])),
            ("TOPIC", Values::Nothing),
        ] {
            assert_eq!(values(placeholder), completed, "{placeholder}");
        }
    }

    #[test]
    fn the_word_after_a_verb_is_completed_in_every_shell() {
        let commands: Vec<Line> = COMMANDS.iter().map(Line::of_command).collect();
        let own = Line::of_program(Vec::new());
        for (script, words) in [
            (
                bash::script(&own, &commands, &[]),
                [
                    "install) COMPREPLY=($(compgen -f",
                    "credentials) COMPREPLY=($(compgen -W \"$(_gatepost_role_aliases)",
                ],
            ),
            (
                zsh::script(&own, &commands, &[]),
                [
                    "case $words[2] in install) _files ;; esac",
                    "credentials) _gatepost_role_aliases ;;",
                ],
            ),
            (
                fish::script(&own, &commands, &[]),
                [
                    "__fish_seen_subcommand_from certificate; and __fish_seen_subcommand_from install\' -F",
                    "__fish_seen_subcommand_from retry; and __fish_seen_subcommand_from credentials\' -a",
                ],
            ),
        ] {
            for word in words {
                assert!(script.contains(word), "{word}: {script}");
            }
        }
    }
}
