//! What the shells complete.

mod bash;
mod fish;
mod zsh;

use crate::help::{self, Flag};
use crate::programs::Programs;

/// A word that completes what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    Files,
    Users,
    RoleAliases,
    Commands,
    Nothing,
}

/// What stands for a value in the help, and so for what completes it.
fn values(placeholder: &str) -> Values {
    match placeholder.trim_matches(['[', ']']) {
        "FILE" | "PATH" | "DIR" => Values::Files,
        "USER" => Values::Users,
        "ALIAS" => Values::RoleAliases,
        "COMMAND" => Values::Commands,
        _ => Values::Nothing,
    }
}

/// A command line that is completed.
struct Line {
    /// `status`; empty for the program itself.
    command: String,
    summary: String,
    argument: Values,
    flags: Vec<Flag>,
}

/// What the role aliases are is the daemon's to tell; it answers at once, or not at all.
const ROLE_ALIASES: &str = r#"gatepost status --json 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d '"' -f 4"#;

/// Each script by its file's name.
pub(crate) fn scripts(programs: &Programs) -> Vec<(&'static str, String)> {
    let commands: Vec<Line> = programs
        .commands
        .iter()
        .map(|command| Line {
            command: command.name.clone(),
            summary: command.summary.clone(),
            argument: values(&command.arguments),
            flags: command.flags(&programs.gatepost),
        })
        .collect();
    let alone = |blocks| Line {
        command: String::new(),
        summary: String::new(),
        argument: Values::Nothing,
        flags: help::flags(blocks),
    };
    let others = [
        ("gatepostd", alone(&programs.gatepostd)),
        ("gatepost-tpm-setup", alone(&programs.tpm_setup)),
    ];
    let own = alone(&programs.gatepost);
    vec![
        ("gatepost.bash", bash::script(&own, &commands, &others)),
        ("_gatepost", zsh::script(&own, &commands, &others)),
        ("gatepost.fish", fish::script(&own, &commands, &others)),
    ]
}
