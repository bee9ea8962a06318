//! The types of the command table.

use std::path::Path;

use super::matches::Matches;
use crate::exit::{Exit, Failure};

/// A command of the table.
pub struct Command {
    /// The word that selects it: `status`.
    pub name: &'static str,
    /// A short description for the list of commands.
    pub summary: &'static str,
    /// The ways to call it. A command without verbs has one form.
    pub forms: &'static [Form],
    /// Paragraphs and indented examples, laid out for 80 columns.
    pub description: &'static str,
    /// Its options, in addition to [`super::GLOBAL_OPTIONS`].
    pub options: &'static [CommandOption],
    /// More paragraphs, printed after the options.
    pub notes: &'static str,
    /// The exit codes it uses besides 0, 64 and 74, with their meanings.
    pub exit_codes: &'static [(u8, &'static str)],
    /// The function that runs it; `None` for `help`, which the parser handles itself.
    pub(crate) run: Option<Run>,
}

/// A program without commands.
pub struct Program {
    /// Its name: `gatepostd`.
    pub name: &'static str,
    /// A short description.
    pub summary: &'static str,
    /// Its arguments, as the usage shows them.
    pub usage: &'static str,
    /// Paragraphs before the options, laid out for 80 columns.
    pub description: &'static str,
    /// Its options, as the help lists them.
    pub options: &'static [CommandOption],
    /// Paragraphs after the options.
    pub notes: &'static str,
}

/// An action of a program without commands.
pub struct Mode {
    /// The option that selects it.
    pub option: CommandOption,
    /// Further options that it accepts.
    pub options: &'static [CommandOption],
}

/// The function that runs a command.
pub(crate) type Run = fn(&Path, &Matches) -> Result<Exit, Failure>;

/// A way to call a command.
pub struct Form {
    /// The word after the command: `delete` in `gatepost subscriptions delete`.
    pub verb: Option<Verb>,
    /// The operands, in order. Required operands come first.
    pub operands: &'static [Operand],
    /// The names of the command's options that this form takes.
    pub options: &'static [&'static str],
    /// A short description of what this form does.
    pub summary: &'static str,
}

/// The word that selects a form.
#[derive(Clone, Copy)]
pub struct Verb {
    /// The word itself.
    pub name: &'static str,
    /// Whether the form is also the default without a verb.
    pub is_default: bool,
}

/// A word that is neither an option nor a verb.
pub struct Operand {
    /// The name in the help: `ALIAS`.
    pub name: &'static str,
    /// The name in messages: `the role alias`.
    pub description: &'static str,
    /// Whether the form requires it.
    pub is_required: bool,
    /// Whether it may be the empty string.
    pub may_be_empty: bool,
    /// The permitted words; if empty, any word is permitted.
    pub choices: &'static [&'static str],
    /// Whether it is a program, which follows `--` together with its arguments.
    pub is_program: bool,
}

/// An option.
pub struct CommandOption {
    /// The name with its dashes: `--json`.
    pub name: &'static str,
    /// The one-letter form, with its dash.
    pub short: Option<&'static str>,
    /// The name of its value in the help, if it takes one: `FILE`.
    pub value: Option<&'static str>,
    /// Whether the command requires it.
    pub is_required: bool,
    /// Whether it may be given several times; each value counts.
    pub is_repeatable: bool,
    /// The permitted values; if empty, any value is permitted.
    pub choices: &'static [&'static str],
    /// A short description of its effect.
    pub summary: &'static str,
}

impl Form {
    /// Creates a form without a verb.
    pub(super) const fn plain(
        operands: &'static [Operand],
        options: &'static [&'static str],
        summary: &'static str,
    ) -> Self {
        Self {
            verb: None,
            operands,
            options,
            summary,
        }
    }

    /// Creates a form with a verb.
    pub(super) const fn verb(
        name: &'static str,
        operands: &'static [Operand],
        options: &'static [&'static str],
        summary: &'static str,
    ) -> Self {
        let is_default = false;
        Self {
            verb: Some(Verb { name, is_default }),
            ..Self::plain(operands, options, summary)
        }
    }

    /// Creates a form with a verb that is also the default.
    pub(super) const fn default_verb(
        name: &'static str,
        operands: &'static [Operand],
        options: &'static [&'static str],
        summary: &'static str,
    ) -> Self {
        let is_default = true;
        Self {
            verb: Some(Verb { name, is_default }),
            ..Self::plain(operands, options, summary)
        }
    }
}

impl Operand {
    pub(super) const fn required(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            description,
            is_required: true,
            may_be_empty: false,
            choices: &[],
            is_program: false,
        }
    }

    pub(super) const fn optional(name: &'static str, description: &'static str) -> Self {
        Self {
            is_required: false,
            ..Self::required(name, description)
        }
    }

    /// Creates an operand for a program and its arguments.
    pub(super) const fn program(name: &'static str, description: &'static str) -> Self {
        Self {
            is_program: true,
            ..Self::required(name, description)
        }
    }

    pub(super) const fn or_empty(self) -> Self {
        Self {
            may_be_empty: true,
            ..self
        }
    }

    pub(super) const fn choices(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }
}

impl CommandOption {
    pub(super) const fn flag(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            short: None,
            value: None,
            is_required: false,
            is_repeatable: false,
            choices: &[],
            summary,
        }
    }

    pub(super) const fn value(name: &'static str, value: &'static str, summary: &'static str) -> Self {
        Self {
            value: Some(value),
            ..Self::flag(name, summary)
        }
    }

    pub(super) const fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }

    pub(super) const fn repeatable(self) -> Self {
        Self {
            is_repeatable: true,
            ..self
        }
    }

    pub(super) const fn choices(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    pub(super) const fn short(self, short: &'static str) -> Self {
        Self {
            short: Some(short),
            ..self
        }
    }
}
