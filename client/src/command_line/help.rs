//! Formats the help texts from the table, for a terminal of 80 columns.

use super::spec::{Command, CommandOption, Form, Program};
use super::table::{COMMANDS, EXIT_CODES, GLOBAL_OPTIONS};
use crate::output::wrap;

/// Width of the help, which every terminal has.
const WIDTH: usize = 80;
/// Maximum number of options that the help names in the first line of a form.
const FEW_OPTIONS: usize = 2;

/// Formats the help of a command, or the overview of all commands.
pub fn text(command: Option<&Command>) -> String {
    match command {
        Some(command) => command_help(command),
        None => overview(),
    }
}

/// Maximum width of the terms in a list. A longer term has a line of its own.
const LONGEST_TERM: usize = 24;

/// Formats the help of a program without commands.
pub fn program_text(program: &Program) -> String {
    let entries: Vec<_> = program
        .options
        .iter()
        .map(|option| (option_term(option), option.summary))
        .collect();
    format!(
        "{}: {}\n\nUsage: {} {}\n\n{}\n\nOptions:\n{}\n\n{}\n",
        program.name,
        program.summary,
        program.name,
        program.usage,
        program.description,
        columns(&entries),
        program.notes
    )
}

/// Formats the usage of a form: `gatepost sign --service NAME --region REGION [OPTIONS] URL`.
pub fn signature(command: &Command, form: &Form) -> String {
    let mut words = vec!["gatepost".to_owned(), command.name.to_owned()];
    if let Some(verb) = form.verb {
        words.push(match verb.is_default {
            true => format!("[{}]", verb.name),
            false => verb.name.to_owned(),
        });
    }
    let options = || {
        command
            .options
            .iter()
            .filter(|option| form.options.contains(&option.name))
    };
    words.extend(options().filter(|option| option.is_required).map(option_term));
    let optional: Vec<_> = options()
        .filter(|option| !option.is_required)
        .map(option_term)
        .collect();
    match optional.len() {
        ..=FEW_OPTIONS => words.extend(optional.iter().map(|term| format!("[{term}]"))),
        _ => words.push("[OPTIONS]".to_owned()),
    }
    words.extend(form.operands.iter().map(|operand| match operand.is_required {
        true => operand.name.to_owned(),
        false => format!("[{}]", operand.name),
    }));
    words.join(" ")
}

/// Formats an option as the help lists it: `-h, --help`, `--config FILE`.
pub fn option_term(option: &CommandOption) -> String {
    let short = option.short.map(|short| format!("{short}, ")).unwrap_or_default();
    let value = option.value.map(|value| format!(" {value}")).unwrap_or_default();
    format!("{short}{}{value}", option.name)
}

/// Formats a command as the overview lists it: `publish TOPIC`.
pub fn command_term(command: &Command) -> String {
    let operand = match command.forms {
        [form] => form.operands.first(),
        _ => None,
    };
    match operand {
        Some(operand) if operand.is_required => format!("{} {}", command.name, operand.name),
        Some(operand) => format!("{} [{}]", command.name, operand.name),
        None => command.name.to_owned(),
    }
}

fn command_help(command: &Command) -> String {
    let forms: Vec<String> = command
        .forms
        .iter()
        .map(|form| format!("{}: {}", signature(command, form), form.summary))
        .collect();
    let mut parts = vec![forms.join("\n")];
    parts.extend((!command.description.is_empty()).then(|| command.description.to_owned()));
    if !command.options.is_empty() {
        let entries: Vec<_> = command
            .options
            .iter()
            .map(|option| (option_term(option), option.summary))
            .collect();
        parts.push(format!("Options:\n{}", columns(&entries)));
    }
    parts.extend((!command.notes.is_empty()).then(|| command.notes.to_owned()));
    if !command.exit_codes.is_empty() {
        let codes: Vec<_> = command
            .exit_codes
            .iter()
            .map(|(code, why)| format!("{code} {why}"))
            .collect();
        parts.push(wrap(&format!("Exit codes: {}.", codes.join("; ")), WIDTH).join("\n"));
    }
    parts.join("\n\n") + "\n"
}

fn overview() -> String {
    let commands: Vec<_> = COMMANDS
        .iter()
        .map(|command| (command_term(command), command.summary))
        .collect();
    let options: Vec<_> = GLOBAL_OPTIONS
        .iter()
        .map(|option| (option_term(option), option.summary))
        .collect();
    let codes: Vec<_> = EXIT_CODES.iter().map(|(code, why)| (code.to_string(), *why)).collect();
    let (commands, options, codes) = (columns(&commands), columns(&options), columns(&codes));
    format!(
        "gatepost: asks the gatepost daemon on this machine\n\nUsage: gatepost [--socket PATH] COMMAND\n\n\
         Commands:\n{commands}\n\nOptions:\n{options}\n\n\
         On failure stdout stays empty, stderr has the reason, and the exit code (see\nsysexits.h) its kind:\n\
         {codes}\n"
    )
}

/// Formats two columns. The second one begins two blanks after the longest term that fits, and is wrapped.
fn columns(entries: &[(String, &str)]) -> String {
    let lengths = entries.iter().map(|(term, _)| term.len());
    let width = lengths
        .filter(|length| *length <= LONGEST_TERM)
        .max()
        .unwrap_or_default();
    let mut lines = Vec::new();
    for (term, meaning) in entries {
        let mut term = term.as_str();
        if term.len() > width {
            lines.push(format!("  {term}"));
            term = "";
        }
        for line in wrap(meaning, WIDTH - width - 4) {
            lines.push(format!("  {term:width$}  {line}"));
            term = "";
        }
    }
    lines.join("\n")
}
