//! The completion scripts of the shells.

mod bash;
mod fish;
mod line;
mod role_aliases;
mod zsh;

use gatepost_client::command_line::{COMMANDS, GATEPOSTD, GLOBAL_OPTIONS};

use crate::help::{self, Block};
use crate::programs::Programs;
use line::{CompletedFlag, Line};

/// Returns all scripts with the names of their files.
pub(crate) fn scripts(programs: &Programs) -> Vec<(&'static str, String)> {
    let commands: Vec<Line> = COMMANDS.iter().map(Line::of_command).collect();
    let program =
        |blocks: &[Block]| Line::of_program(help::flags(blocks).into_iter().map(CompletedFlag::from).collect());
    let others = [
        (
            "gatepostd",
            Line::of_program(GATEPOSTD.options.iter().map(CompletedFlag::of).collect()),
        ),
        ("gatepost-tpm-setup", program(&programs.tpm_setup)),
    ];
    let own = Line::of_program(GLOBAL_OPTIONS.iter().map(CompletedFlag::of).collect());
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
