//! Converts Markdown to man pages, as far as the documentation uses it.

use crate::roff::Page;

/// Returns the part of a document below the heading `## TITLE`, up to the next one.
pub(crate) fn part<'a>(document: &'a str, title: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("\n## {title}\n"))?;
    Some(rest.split("\n## ").next().unwrap_or(rest))
}

/// Adds a document to the page. Its headings `##` become sections, or subsections if the document is only a part of the page.
pub(crate) fn put(page: &mut Page, document: &str, is_part: bool) {
    for block in document.split("\n\n").map(|block| block.trim_matches('\n')) {
        put_block(page, block, is_part);
    }
}

fn put_block(page: &mut Page, block: &str, is_part: bool) {
    let lines: Vec<&str> = block.lines().collect();
    let Some(first) = lines.first() else { return };
    if let Some(title) = first.strip_prefix("## ") {
        if is_part {
            page.subsection(&title.replace('`', ""))
        } else {
            page.section(title)
        }
        put_block(page, lines.get(1..).unwrap_or_default().join("\n").as_str(), is_part);
    } else if let Some(title) = first.strip_prefix("### ") {
        page.subsection(title);
    } else if first.starts_with("# ") {
        // The document's own title is the page's title.
    } else if first.starts_with("```") {
        let inner = lines.iter().filter(|line| !line.starts_with("```"));
        page.example(&inner.map(|line| (*line).to_owned()).collect::<Vec<_>>());
    } else if first.starts_with("    ") {
        let unindented = lines
            .iter()
            .map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned());
        page.example(&unindented.collect::<Vec<_>>());
    } else if first.starts_with("| ") {
        table(page, &lines);
    } else if first.starts_with("- ") || first.starts_with("1. ") {
        points(&lines).iter().for_each(|point| page.point(point));
    } else {
        page.paragraph(block);
    }
}

fn points(lines: &[&str]) -> Vec<String> {
    let mut points: Vec<String> = Vec::new();
    for line in lines {
        let numbered = line.split_once(". ").filter(|(number, _)| number.parse::<u8>().is_ok());
        match (
            line.strip_prefix("- ").or(numbered.map(|(_, text)| text)),
            points.last_mut(),
        ) {
            (Some(text), _) => points.push(text.to_owned()),
            (None, Some(point)) => {
                point.push('\n');
                point.push_str(line.trim_start());
            }
            (None, None) => {}
        }
    }
    points
}

/// Adds a table as a list. The first cell is a term; its meaning is in the column `meaning`, or else in the last one. The other cells
/// follow, each after its heading.
fn table(page: &mut Page, lines: &[&str]) {
    let mut rows = lines.iter().map(|line| cells(line));
    let headings = rows.next().unwrap_or_default();
    let meant = headings.iter().position(|heading| heading == "meaning");
    let mut above = String::new();
    for row in rows.skip(1) {
        let meant = meant.unwrap_or(row.len().saturating_sub(1));
        let (Some(term), Some(meaning)) = (row.first(), row.get(meant)) else {
            continue;
        };
        // An empty first cell means the same as the one above it.
        let term = if term.is_empty() { above.clone() } else { term.clone() };
        let others = row.iter().zip(&headings).enumerate();
        let facts: Vec<String> = others
            .filter(|(place, (cell, _))| *place != 0 && *place != meant && !cell.is_empty())
            .map(|(_, (cell, heading))| match heading.ends_with('?') {
                true => format!("{heading} {cell}"),
                false => format!("{heading}: {cell}"),
            })
            .collect();
        page.entry(&term, meaning, &facts);
        above = term;
    }
}

/// Splits a line into cells. A bar within `code` is written as `\|`.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    let hidden = line.replace("\\|", "\u{0}");
    hidden
        .split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cell_is_the_label_and_every_other_cell_has_its_heading() {
        for (table, entry) in [
            (
                "| code | meaning | try again? |\n| --- | --- | --- |\n| 64 | Wrong command line. | no |",
                "\\fB64\\fR\nWrong command line.\n.br\ntry again? no\n",
            ),
            (
                "| key | default | meaning |\n| --- | --- | --- |\n| `user` | any | Who. |",
                "\\fBuser\\fR\nWho.\n.br\ndefault: any\n",
            ),
            (
                "| message | what to do |\n| --- | --- |\n| gone | Wait. |",
                "\\fBgone\\fR\nWait.\n",
            ),
        ] {
            let mut page = Page::default();
            put(&mut page, table, false);
            let page = page.finish();
            assert!(page.ends_with(entry), "{page}");
        }
    }
}
