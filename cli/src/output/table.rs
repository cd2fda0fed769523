//! Aligned columns.

use super::text::{self, width};

/// A table: a header and rows of cells.
#[derive(Debug)]
pub struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// Two spaces between columns.
const GAP: &str = "  ";

impl Table {
    /// A table with these columns.
    pub fn new(header: &[&'static str]) -> Table {
        Table {
            header: header.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.header.len(), "a cell for each column");
        self.rows
            .push(cells.into_iter().map(|cell| text::one_line(&cell)).collect());
    }

    /// The table as text. Columns without any cell are left out; numbers are aligned on the right.
    pub fn render(&self, has_color: bool) -> String {
        let mut text = String::new();
        let columns: Vec<Column> = (0..self.header.len())
            .filter_map(|index| self.column(index))
            .collect();
        let header: Vec<String> = self.header.iter().map(|name| (*name).to_owned()).collect();
        text.push_str(&line(&columns, &header, |cell| text::dim(cell, has_color)));
        for row in &self.rows {
            text.push_str(&line(&columns, row, |cell| text::status(cell, has_color)));
        }
        text
    }

    fn column(&self, index: usize) -> Option<Column> {
        let cells = self.rows.iter().map(|row| row[index].as_str());
        let filled: Vec<&str> = cells.filter(|cell| !cell.is_empty()).collect();
        if filled.is_empty() && !self.rows.is_empty() {
            return None;
        }
        let widest = filled.iter().map(|cell| width(cell)).max().unwrap_or(0);
        let is_number = !filled.is_empty() && filled.iter().all(|cell| text::is_quantity(cell));
        Some(Column {
            index,
            width: widest.max(width(self.header[index])),
            is_number,
        })
    }
}

struct Column {
    index: usize,
    width: usize,
    is_number: bool,
}

fn line(columns: &[Column], cells: &[String], paint: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    for (place, column) in columns.iter().enumerate() {
        let cell = &cells[column.index];
        let padding = " ".repeat(column.width.saturating_sub(width(cell)));
        let is_last = place + 1 == columns.len();
        if place > 0 {
            text.push_str(GAP);
        }
        match (column.is_number, is_last) {
            (true, _) => text.push_str(&format!("{padding}{}", paint(cell))),
            (false, true) => text.push_str(&paint(cell)),
            (false, false) => text.push_str(&format!("{}{padding}", paint(cell))),
        }
    }
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_numbers_go_right_and_empty_columns_vanish() {
        let mut table = Table::new(&["TASK", "STATUS", "NOTE", "TIME"]);
        table.row(vec![
            "load".into(),
            "SUCCESS".into(),
            String::new(),
            "1.5 s".into(),
        ]);
        table.row(vec![
            "train".into(),
            "RUNNING".into(),
            String::new(),
            "12 ms".into(),
        ]);
        let expected = "TASK   STATUS    TIME\nload   SUCCESS  1.5 s\ntrain  RUNNING  12 ms\n";
        assert_eq!(table.render(false), expected);
    }
}
