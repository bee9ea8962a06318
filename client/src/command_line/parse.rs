//! The parser of the command line. Options may stand before or after the command and its operands.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::matches::{Matches, usage};
use super::socket::DEFAULT_SOCKET;
use super::spec::{Command, Form, Run};
use super::suggest::{did_you_mean, unknown};
use super::table::{COMMANDS, GLOBAL_OPTIONS, find};
use super::words::Words;
use crate::exit::Failure;

/// The action that a command line selects.
pub(crate) enum Action {
    Run(Run, Matches),
    /// Show the help of a command, or the overview.
    Help(Option<&'static Command>),
    Version,
}

/// A parsed command line.
pub(crate) struct Invocation {
    pub(crate) socket: PathBuf,
    pub(crate) action: Action,
}

/// Parses the arguments after the program's name. `environment` is the value of [`super::socket::SOCKET_VARIABLE`].
///
/// # Errors
/// On a word that the table does not contain, with the closest one that it does.
pub(crate) fn parse(
    arguments: impl Iterator<Item = OsString>,
    environment: Option<OsString>,
) -> Result<Invocation, Failure> {
    let known = || {
        let of_commands = COMMANDS.iter().flat_map(|command| command.options);
        GLOBAL_OPTIONS.iter().chain(of_commands)
    };
    let split = Words::split(arguments, known).map_err(|message| usage(None, message))?;
    let Words {
        mut options,
        words,
        words_before_dashes,
    } = split;
    let mut take = |name: &str| {
        let place = options.iter().rposition(|(given, _)| *given == name)?;
        let (_, value) = options.remove(place);
        options.retain(|(given, _)| *given != name);
        Some(value)
    };
    let socket = take("--socket").or(environment.filter(|path| !path.is_empty()));
    let (help, version) = (take("--help").is_some(), take("--version").is_some());
    let mut words = words.into_iter();
    let name = words.next();
    let action = match name {
        _ if version => Action::Version,
        None if help => Action::Help(None),
        None => return Err(usage(None, "no command given")),
        Some(name) => match command(&name)? {
            command if help => Action::Help(command.run.map(|_| command)),
            command => match command.run {
                Some(run) => {
                    // All words except for the command itself.
                    let operands_before_dashes = words_before_dashes.map(|count| count.saturating_sub(1));
                    check_dashes(command, operands_before_dashes, words.len())?;
                    Action::Run(run, matches(command, words, options)?)
                }
                None => Action::Help(help_topic(&mut words)?),
            },
        },
    };
    Ok(Invocation {
        socket: socket.unwrap_or_else(|| DEFAULT_SOCKET.into()).into(),
        action,
    })
}

fn command(name: &OsStr) -> Result<&'static Command, Failure> {
    name.to_str().and_then(find).ok_or_else(|| {
        let names = COMMANDS.iter().map(|command| command.name);
        usage(None, unknown("command", name, names))
    })
}

fn help_topic(words: &mut impl Iterator<Item = OsString>) -> Result<Option<&'static Command>, Failure> {
    let Some(name) = words.next() else { return Ok(None) };
    let topic = command(&name)?;
    match words.next() {
        Some(extra) => Err(usage(None, format!("unexpected argument {extra:?}"))),
        None => Ok(topic.run.map(|_| topic)),
    }
}

fn matches(
    command: &'static Command,
    words: impl Iterator<Item = OsString>,
    options: Vec<(&'static str, OsString)>,
) -> Result<Matches, Failure> {
    let mut words = words.peekable();
    let form = select_form(command, words.peek().map(OsString::as_os_str))?;
    let verb = form.verb.map(|verb| verb.name);
    if verb.is_some() {
        words.next();
    }
    for (name, _) in &options {
        if !form.options.contains(name) {
            let spoken = verb.map(|verb| format!(" {verb}")).unwrap_or_default();
            let message = format!("{name} is not an option of gatepost {}{spoken}", command.name);
            return Err(usage(Some(command.name), message));
        }
    }
    for option in command.options {
        for (_, value) in options.iter().filter(|(name, _)| *name == option.name) {
            check_choice(command, option.name, option.choices, value)?;
        }
    }
    for option in command.options.iter().filter(|option| option.is_required) {
        if !options.iter().any(|(name, _)| *name == option.name) {
            return Err(usage(Some(command.name), format!("{} is needed", option.name)));
        }
    }
    let operands: Vec<OsString> = words.collect();
    for (index, operand) in form.operands.iter().enumerate() {
        match operands.get(index) {
            None if operand.is_required => {
                return Err(usage(Some(command.name), format!("{} is missing", operand.description)));
            }
            Some(word) if word.is_empty() && !operand.may_be_empty => {
                return Err(usage(Some(command.name), format!("{} is empty", operand.description)));
            }
            Some(word) => check_choice(command, operand.description, operand.choices, word)?,
            None => {}
        }
    }
    let takes_program = form.operands.last().is_some_and(|operand| operand.is_program);
    if let Some(extra) = operands.get(form.operands.len()).filter(|_| !takes_program) {
        return Err(usage(Some(command.name), format!("unexpected argument {extra:?}")));
    }
    Ok(Matches {
        command: command.name,
        verb,
        operands,
        options,
    })
}

/// Checks that a program to be run follows `--`. Otherwise its options would be parsed as options of this command.
fn check_dashes(command: &Command, before_dashes: Option<usize>, count: usize) -> Result<(), Failure> {
    let place = |form: &Form| form.operands.iter().position(|operand| operand.is_program);
    let Some(place) = command.forms.iter().find_map(place) else {
        return Ok(());
    };
    match before_dashes {
        Some(before) if before != place => Err(usage(Some(command.name), "-- stands in the wrong place")),
        None if count > place => Err(usage(Some(command.name), "-- is missing before the program")),
        _ => Ok(()),
    }
}

/// Refuses a word that is not among the choices, if there are any.
fn check_choice(command: &Command, subject: &str, choices: &[&str], word: &OsStr) -> Result<(), Failure> {
    if choices.is_empty() || choices.iter().any(|choice| word == *choice) {
        return Ok(());
    }
    let suggestion = did_you_mean(&word.to_string_lossy(), choices.iter().copied());
    let message = format!("{subject} is one of {}, not {word:?}{suggestion}", choices.join(", "));
    Err(usage(Some(command.name), message))
}

fn select_form(command: &'static Command, word: Option<&OsStr>) -> Result<&'static Form, Failure> {
    let verbs = || command.forms.iter().filter_map(|form| form.verb);
    let selected = command.forms.iter().find(|form| match (form.verb, word) {
        (None, _) => true,
        (Some(verb), None) => verb.is_default,
        (Some(verb), Some(word)) => word == verb.name,
    });
    selected.ok_or_else(|| match word {
        Some(word) => usage(Some(command.name), unknown("verb", word, verbs().map(|verb| verb.name))),
        None => {
            let names: Vec<&str> = verbs().map(|verb| verb.name).collect();
            usage(Some(command.name), format!("one of {} is needed", names.join(", ")))
        }
    })
}
