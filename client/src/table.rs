//! Formats tables for people: a heading, and columns as wide as their content.

use crate::printable::printable;

/// Maximum width of a column. Wider cells do not move the columns behind them: topics have up to 256 bytes.
const WIDEST: usize = 40;

/// Formats rows of cells. The heading, if any, is the first row.
pub(crate) fn draw(rows: &[Vec<String>]) -> String {
    let cell = |cell: &String| printable(cell);
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widths = cells.map(|cell| cell.chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Creates a row of cells.
pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::{draw, row};

    #[test]
    fn columns_stand_below_each_other() {
        let long = "t".repeat(60);
        let rows = [
            row(["ID", "TOPIC", "REASON"]),
            row(["7", "gw-1/a", ""]),
            row(["12", &long, "two\nlines"]),
            row(["13", "ü", "\u{1b}[2J"]),
        ];
        let expected = format!("ID  TOPIC   REASON\n7   gw-1/a\n12  {long}  two lines\n13  ü       \u{fffd}[2J\n");
        assert_eq!(draw(&rows), expected);
        assert_eq!(draw(&[]), "");
    }
}
