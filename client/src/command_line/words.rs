//! Splits a command line into options and other words, for `gatepost` and `gatepostd`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::spec::CommandOption;
use super::suggest::unknown;

/// The options of a command line, and its other words.
#[derive(Debug)]
pub struct Words {
    /// The names of the options, in order, with their values; the value of a flag is empty.
    pub options: Vec<(&'static str, OsString)>,
    /// The other words, in order.
    pub words: Vec<OsString>,
    /// The number of words before `--`, if there is one. No word after it is an option.
    pub words_before_dashes: Option<usize>,
}

impl Words {
    /// Splits the arguments after the program's name. `known` are the program's options. Options of the same name take the same kind of
    /// value.
    ///
    /// # Errors
    /// With a message about an option that is unknown, lacks its value, has a value but takes none, or is given twice.
    pub fn split<I: Iterator<Item = &'static CommandOption>>(
        mut arguments: impl Iterator<Item = OsString>,
        known: impl Fn() -> I,
    ) -> Result<Self, String> {
        let (mut options, mut words) = (Vec::new(), Vec::new());
        let mut words_before_dashes = None;
        while let Some(argument) = arguments.next() {
            // A value may be a path, and paths need not be UTF-8.
            let bytes = argument.as_bytes();
            let (name, value) = match bytes.iter().position(|byte| *byte == b'=') {
                Some(at) => (bytes.get(..at).unwrap_or_default(), bytes.get(at + 1..)),
                None => (bytes, None),
            };
            if name == b"--" && value.is_none() {
                words_before_dashes = Some(words.len());
                words.extend(arguments.by_ref());
                break;
            }
            if bytes.len() < 2 || !bytes.starts_with(b"-") {
                words.push(argument);
                continue;
            }
            let option = find(name, &known)?;
            let value = value.map(|value| OsStr::from_bytes(value).to_owned());
            let value = match (option.value, value) {
                (None, None) => OsString::new(),
                (None, Some(_)) => return Err(format!("{} takes no value", option.name)),
                (Some(_), value) => value
                    .or_else(|| arguments.next())
                    .filter(|value| !value.is_empty())
                    .ok_or_else(|| format!("{} needs a value", option.name))?,
            };
            let is_repeated = options.iter().any(|(known, _)| *known == option.name);
            if is_repeated && option.value.is_some() && !option.is_repeatable {
                return Err(format!("{} is given twice, and only one value can count", option.name));
            }
            options.push((option.name, value));
        }
        Ok(Self {
            options,
            words,
            words_before_dashes,
        })
    }
}

fn find<I: Iterator<Item = &'static CommandOption>>(
    name: &[u8],
    known: &impl Fn() -> I,
) -> Result<&'static CommandOption, String> {
    let is = |option: &&CommandOption| {
        option.name.as_bytes() == name || option.short.is_some_and(|short| short.as_bytes() == name)
    };
    known()
        .find(is)
        .ok_or_else(|| unknown("option", OsStr::from_bytes(name), known().map(|option| option.name)))
}
