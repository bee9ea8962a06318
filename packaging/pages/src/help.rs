//! The structure of a help text: paragraphs, lists of two columns, examples.

/// A part of a help text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// Lines that are wrapped.
    Paragraph(String),
    /// A line that ends in a colon and introduces the next block, without a blank line.
    Heading(String),
    /// Terms with their meanings.
    List(Vec<(String, String)>),
    /// Lines that are kept unchanged.
    Example(Vec<String>),
}

/// Parses a help text.
pub(crate) fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for part in text.split("\n\n") {
        let lines: Vec<&str> = part.lines().collect();
        let flowing = lines.iter().take_while(|line| !line.starts_with("  ")).count();
        let (flowing, indented) = lines.split_at(flowing);
        match flowing {
            [] => {}
            [line] if line.ends_with(':') && !indented.is_empty() => {
                blocks.push(Block::Heading(line.trim_end_matches(':').to_owned()));
            }
            lines => blocks.push(Block::Paragraph(lines.join("\n"))),
        }
        if !indented.is_empty() {
            blocks.push(list(indented).unwrap_or_else(|| example(indented)));
        }
    }
    blocks
}

fn example(lines: &[&str]) -> Block {
    let unindented = lines
        .iter()
        .map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned());
    Block::Example(unindented.collect())
}

/// Returns the lines as terms and meanings, if there is a clear second column and every term is an option or a command.
fn list(lines: &[&str]) -> Option<Block> {
    let starts = lines.iter().filter_map(|line| column(line));
    let column = starts.min()?;
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in lines {
        let (left, right) = match line.split_at_checked(column) {
            Some((left, right)) if left.ends_with(' ') => (left.trim(), right.trim()),
            // A term that is longer than the first column is alone on its line, or its meaning follows after one blank.
            _ => match line.trim().split_once("  ") {
                Some((left, right)) => (left.trim(), right.trim()),
                None => (line.trim(), ""),
            },
        };
        match (left, entries.last_mut()) {
            ("", Some((_, meaning))) => {
                meaning.push(' ');
                meaning.push_str(right);
            }
            ("", None) => return None,
            _ => entries.push((left.to_owned(), right.to_owned())),
        }
    }
    let named = |(term, _): &(String, String)| term.starts_with(|c: char| c == '-' || c.is_ascii_lowercase());
    entries.iter().all(named).then_some(Block::List(entries))
}

/// Returns the start of the second column of an entry, after its first run of blanks.
fn column(line: &str) -> Option<usize> {
    let term = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
    let gap = term.find("  ")?;
    let rest = term.get(gap..)?;
    Some(2 + gap + (rest.len() - rest.trim_start().len()))
}

/// An option in a help text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    /// The name, such as `--json`.
    pub(crate) name: String,
    /// The placeholder for its value, if it has one: `FILE`.
    pub(crate) value: Option<String>,
    /// The description, if the entry has one.
    pub(crate) meaning: String,
}

/// Returns every option that the text explains in a list or names in its first lines.
pub(crate) fn flags(blocks: &[Block]) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    let mut add = |words: &str, meaning: &str| {
        // A closing bracket separates an option from what follows it.
        let words = words.replace(']', " ] ");
        let words: Vec<&str> = words
            .split([' ', '=', ',', '['])
            .filter(|word| !word.is_empty())
            .collect();
        for (place, word) in words.iter().enumerate() {
            let name = word.trim_end_matches(':');
            if !name.starts_with("--") || flags.iter().any(|flag| flag.name == name) {
                continue;
            }
            let next = words.get(place + 1).map(|next| next.trim_end_matches(':'));
            let placeholder = |next: &&str| {
                next.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
                    && next
                        .chars()
                        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || ":|".contains(c))
            };
            flags.push(Flag {
                name: name.to_owned(),
                value: next.filter(placeholder).map(str::to_owned),
                meaning: meaning.to_owned(),
            });
        }
    };
    for block in blocks {
        if let Block::List(entries) = block {
            entries
                .iter()
                .filter(|(term, _)| term.starts_with('-'))
                .for_each(|(term, meaning)| add(term, meaning));
        }
    }
    for block in blocks.iter().take(2) {
        if let Block::Paragraph(text) = block {
            // Keeps only the part before the colon: "gatepost check [--json]" of "gatepost check [--json]: what is wrong".
            text.lines()
                .for_each(|line| add(line.split(": ").next().unwrap_or(line), ""));
            text.lines()
                .filter_map(|line| line.strip_prefix("Usage: "))
                .for_each(|line| add(line, ""));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
program keep [--json] [--config FILE]: keeps
program keep --as USER: says

Usage: program [--quiet] COMMAND

Commands:
  status                what is
  setup-profile [ALIAS] a profile
                        for the CLI

  --json     as a document
  --qos 0|1  how
  -h, --help this

  program keep > file

Some text
that flows.
";

    #[test]
    fn a_help_text_is_taken_apart() {
        let entry = |term: &str, meaning: &str| (term.to_owned(), meaning.to_owned());
        let blocks = parse(TEXT);
        let expected = [
            Block::Paragraph("program keep [--json] [--config FILE]: keeps\nprogram keep --as USER: says".into()),
            Block::Paragraph("Usage: program [--quiet] COMMAND".into()),
            Block::Heading("Commands".into()),
            Block::List(vec![
                entry("status", "what is"),
                entry("setup-profile [ALIAS]", "a profile for the CLI"),
            ]),
            Block::List(vec![
                entry("--json", "as a document"),
                entry("--qos 0|1", "how"),
                entry("-h, --help", "this"),
            ]),
            Block::Example(vec!["program keep > file".into()]),
            Block::Paragraph("Some text\nthat flows.".into()),
        ];
        assert_eq!(blocks, expected);
        let flags: Vec<_> = flags(&blocks).into_iter().map(|flag| (flag.name, flag.value)).collect();
        let flag = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        let expected = [
            flag("--json", None),
            flag("--qos", Some("0|1")),
            flag("--help", None),
            flag("--config", Some("FILE")),
            flag("--as", Some("USER")),
            flag("--quiet", None),
        ];
        assert_eq!(flags, expected);
    }
}
