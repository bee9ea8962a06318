//! A credential_process that runs this command.

use std::path::PathBuf;

use crate::command_line::DEFAULT_SOCKET;

/// The way in which a credential_process calls `gatepost`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// It requests credentials from the daemon at this socket.
    Credentials {
        /// The role alias; `None` for the default one.
        role_alias: Option<String>,
        /// The daemon's socket.
        socket: PathBuf,
    },
    /// It runs another command, or has an invalid command line.
    Other,
}

impl Call {
    /// Parses a command line; `None` if it runs another program.
    pub(super) fn read(process: &str) -> Option<Self> {
        let mut words = shell_words(process)?.into_iter();
        let program = words.next()?;
        if program.rsplit('/').next() != Some("gatepost") {
            return None;
        }
        let mut socket = PathBuf::from(DEFAULT_SOCKET);
        let mut operands = Vec::new();
        while let Some(word) = words.next() {
            // The only option that such a call can have.
            match (word.strip_prefix("--socket="), word.as_str()) {
                (Some(path), _) => socket = path.into(),
                (None, "--socket") => socket = words.next().unwrap_or_default().into(),
                (None, option) if option.starts_with('-') => return Some(Self::Other),
                (None, _) => operands.push(word),
            }
        }
        let mut operands = operands.into_iter();
        let (command, role_alias, more) = (operands.next(), operands.next(), operands.next());
        match (command.as_deref(), more) {
            (Some("credentials"), None) => Some(Self::Credentials { role_alias, socket }),
            _ => Some(Self::Other),
        }
    }
}

/// Splits a command line as Python's `shlex.split` does, which botocore uses for it; `None` if a quotation mark is not closed.
pub(super) fn shell_words(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (letter, Some(open)) if letter == open => quote = None,
            ('\\', None) => word.get_or_insert_default().push(letters.next()?),
            ('\\', Some('"')) => {
                let escaped = letters.next_if(|next| matches!(next, '"' | '\\'));
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, None) if letter.is_whitespace() => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gatepost_is_known_by_its_name_and_its_call_is_read_as_it_reads_it() {
        let credentials = |role_alias: Option<&str>, socket: &str| {
            Some(Call::Credentials {
                role_alias: role_alias.map(str::to_owned),
                socket: socket.into(),
            })
        };
        let here = DEFAULT_SOCKET;
        for (process, call) in [
            ("gatepost credentials", credentials(None, here)),
            (
                "/usr/bin/gatepost credentials telemetry",
                credentials(Some("telemetry"), here),
            ),
            ("\"/opt/my tools/gatepost\" credentials", credentials(None, here)),
            (
                "'/opt/my tools/gatepost' credentials \"a@b\"",
                credentials(Some("a@b"), here),
            ),
            (
                "  gatepost   credentials\ttelemetry  ",
                credentials(Some("telemetry"), here),
            ),
            (
                "gatepost --socket /run/x credentials t",
                credentials(Some("t"), "/run/x"),
            ),
            (
                "gatepost credentials --socket \"/run/a b\" t",
                credentials(Some("t"), "/run/a b"),
            ),
            ("gatepost credentials --socket=/run/x", credentials(None, "/run/x")),
            ("/usr/bin/gatepost", Some(Call::Other)),
            ("gatepost credential telemetry", Some(Call::Other)),
            ("gatepost credentials a b", Some(Call::Other)),
            ("gatepost credentials --alias a", Some(Call::Other)),
            ("gatepost credentials --help", Some(Call::Other)),
            ("gatepost status", Some(Call::Other)),
            ("gatepost telemetry", Some(Call::Other)),
            ("/usr/bin/gatepost-old credentials", None),
            ("aws_signing_helper credential-process", None),
            ("sh -c gatepost", None),
            ("", None),
            ("\"", None),
        ] {
            assert_eq!(Call::read(process), call, "{process}");
        }
    }
}
