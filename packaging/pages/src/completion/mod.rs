//! What the shells complete.

mod bash;
mod fish;
mod zsh;

use gatepost_client::command_line::{COMMANDS, Command, CommandOption, GLOBAL_OPTIONS};

use crate::help::{self, Block, Flag};
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
    /// `status`; empty for a program without commands.
    command: &'static str,
    summary: &'static str,
    /// The words that may stand first after the command, and what each does.
    verbs: Vec<(&'static str, &'static str)>,
    /// What completes the first operand of a command without verbs.
    argument: Values,
    flags: Vec<Flag>,
}

impl Line {
    fn of_command(command: &'static Command) -> Self {
        let verbs = command
            .forms
            .iter()
            .filter_map(|form| Some((form.verb?.name, form.summary)));
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
