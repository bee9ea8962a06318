//! Writes the language of man pages: man(7).

/// A page that is being written.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// Begins a page with the title line.
    pub(crate) fn new(name: &str, section: u8, date: &str, version: &str) -> Self {
        Self(format!(
            ".\\\" Made from the programs' own help and from docs/ by packaging/pages.\n.TH {} {section} {date} \"gatepost {version}\"\n",
            name.to_uppercase()
        ))
    }

    /// `.SH`: in capitals, except for code that means something else in capitals.
    pub(crate) fn section(&mut self, title: &str) {
        let parts = title.split('`').enumerate();
        let parts = parts.map(|(place, part)| match place % 2 {
            0 => part.to_uppercase(),
            _ => part.to_owned(),
        });
        self.0
            .push_str(&format!(".SH {}\n", escape(&parts.collect::<String>())));
    }

    /// `.SS`
    pub(crate) fn subsection(&mut self, title: &str) {
        self.0.push_str(&format!(".SS {}\n", escape(title)));
    }

    /// Adds text that is wrapped.
    pub(crate) fn paragraph(&mut self, text: &str) {
        self.0.push_str(&format!(".PP\n{}\n", inline(text)));
    }

    /// Adds a term with its meaning below it, and further facts on lines of their own.
    pub(crate) fn entry(&mut self, term: &str, meaning: &str, facts: &[String]) {
        let lines = std::iter::once(meaning).filter(|text| !text.is_empty());
        let lines: Vec<String> = lines.chain(facts.iter().map(String::as_str)).map(inline).collect();
        let body = if lines.is_empty() {
            "\\&".to_owned()
        } else {
            lines.join("\n.br\n")
        };
        self.0
            .push_str(&format!(".TP\n\\fB{}\\fR\n{body}\n", escape(&term.replace('`', ""))));
    }

    /// Adds an item of a list.
    pub(crate) fn point(&mut self, text: &str) {
        self.0.push_str(&format!(".IP \\(bu 2\n{}\n", inline(text)));
    }

    /// Adds lines that are kept unchanged.
    pub(crate) fn example(&mut self, lines: &[String]) {
        let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
        self.0
            .push_str(&format!(".PP\n.in +4n\n.EX\n{}\n.EE\n.in\n", lines.join("\n")));
    }

    /// Returns the whole page.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// Converts text with marks: `code`, `**bold**`, `[links](of which only the text is kept)`.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(['`', '[', '*']) {
        let (before, marked) = rest.split_at(place);
        out.push_str(&escape_within(before));
        let found = between(marked, "`", "`")
            .map(|(inner, after)| (format!("\\fB{}\\fR", escape_within(inner)), after))
            .or_else(|| {
                between(marked, "**", "**").map(|(inner, after)| (format!("\\fB{}\\fR", escape_within(inner)), after))
            })
            .or_else(|| link(marked).map(|(words, after)| (escape_within(words), after)));
        match found {
            Some((shown, after)) => {
                out.push_str(&shown);
                rest = after;
            }
            None => {
                let (mark, after) = marked.split_at(1);
                out.push_str(mark);
                rest = after;
            }
        }
    }
    out.push_str(&escape_within(rest));
    guard(&out)
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(open)?.split_once(close)
}

fn link(text: &str) -> Option<(&str, &str)> {
    let (words, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = rest.split_once(')')?;
    (!words.contains(['[', ']'])).then_some((words, after))
}

/// Escapes plain text.
fn escape(text: &str) -> String {
    guard(&escape_within(text))
}

/// Escapes text within a line. A backslash begins an escape, and ASCII hyphens must be escaped so that they can be copied (groff_char(7)).
fn escape_within(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Protects a line that begins with a dot or an apostrophe, which would be a request.
fn guard(text: &str) -> String {
    let lines = text.lines().map(|line| match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::inline;

    #[test]
    fn marks_become_fonts_and_nothing_becomes_a_request() {
        for (text, shown) in [
            ("a `--json` b", "a \\fB\\-\\-json\\fR b"),
            ("**The socket.** With", "\\fBThe socket.\\fR With"),
            ("see [Units](x.md) and [[access]]", "see Units and [[access]]"),
            (".hidden\n'quoted", "\\&.hidden\n\\&'quoted"),
            ("`\\n`", "\\fB\\en\\fR"),
            ("/topics/* and `", "/topics/* and `"),
        ] {
            assert_eq!(inline(text), shown);
        }
    }
}
