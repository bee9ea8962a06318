//! As much Markdown as the documentation is written in, onto a man page.

use crate::roff::Page;

/// The part of a document below the heading `## TITLE`, up to the next one.
pub(crate) fn part<'a>(document: &'a str, title: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("\n## {title}\n"))?;
    Some(rest.split("\n## ").next().unwrap_or(rest))
}

/// Puts a document onto the page; its headings `##` become sections, or subsections where it is only a part of one.
pub(crate) fn put(page: &mut Page, document: &str, is_part: bool) {
    for block in document.split("\n\n").map(|block| block.trim_matches('\n')) {
        put_block(page, block, is_part);
    }
}

fn put_block(page: &mut Page, block: &str, is_part: bool) {
    let lines: Vec<&str> = block.lines().collect();
    let Some(first) = lines.first() else { return };
    if let Some(title) = first.strip_prefix("## ") {
        let title = title.replace('`', "");
        if is_part {
            page.subsection(&title)
        } else {
            page.section(&title)
        }
        put_block(page, lines.get(1..).unwrap_or_default().join("\n").as_str(), is_part);
    } else if let Some(title) = first.strip_prefix("### ") {
        page.subsection(title);
    } else if first.starts_with("# ") {
        // The document's own title is the page's.
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

/// The first cell is a term, the last one says what it means; those between are said after it, by their headings.
fn table(page: &mut Page, lines: &[&str]) {
    let mut rows = lines.iter().map(|line| cells(line));
    let headings = rows.next().unwrap_or_default();
    let mut above = String::new();
    for row in rows.skip(1) {
        let (Some((term, rest)), Some(meaning)) = (row.split_first(), row.last()) else {
            continue;
        };
        // An empty first cell stands for the one above it.
        let term = if term.is_empty() { above.clone() } else { term.clone() };
        let between = rest
            .iter()
            .zip(headings.iter().skip(1))
            .take(rest.len().saturating_sub(1));
        let facts: Vec<String> = between
            .filter(|(cell, _)| !cell.is_empty())
            .map(|(cell, heading)| format!("{heading}: {cell}"))
            .collect();
        page.entry(&term, meaning, &facts);
        above = term;
    }
}

/// A bar within `code` is written as `\|`.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    let hidden = line.replace("\\|", "\u{0}");
    hidden
        .split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}
