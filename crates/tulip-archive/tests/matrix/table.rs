//! The matrix as a readable table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cell::Cell;
use crate::check::CaseResult;
use crate::column::ALL;

const LEGEND: &str = "\
x  exported: the whole archive, with its receipt
-  failed as it should: what was there before is as it was, byte for byte
s  failed as it should, after the archive was stored whole: its receipt, or the sink's answer, failed
u  as it should be, but for an upload that the store does not let be aborted
!  not as it should be
.  not crossed
";

/// The results of the cells that have run.
#[derive(Default)]
pub(crate) struct Table {
    /// The marks by row, in the order of the rows, and by column.
    marks: BTreeMap<(usize, String), [char; ALL.len()]>,
    tried: usize,
    passed: usize,
    lost: usize,
}

impl Table {
    /// Adds the result of a cell in the row with this number.
    pub(crate) fn add(&mut self, number: usize, cell: &Cell, case: &CaseResult) {
        self.tried += 1;
        self.passed += usize::from(case.wrong.is_empty());
        self.lost += usize::from(case.lost);
        let name = format!("{}: {}", cell.heading, cell.row.fault);
        let marks = self.marks.entry((number, name));
        let marks = marks.or_insert(['.'; ALL.len()]);
        if let Some(at) = ALL.iter().position(|column| *column == cell.column) {
            marks[at] = case.mark;
        }
    }

    pub(crate) fn tried(&self) -> usize {
        self.tried
    }

    /// The matrix and its summary line.
    pub(crate) fn text(&self) -> String {
        let names = self.marks.keys().map(|(_, name)| name.chars().count());
        let width = names.max().unwrap_or_default();
        let mut text = LEGEND.to_owned();
        let columns = ALL.map(|column| column.to_string());
        let letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
        for (letter, column) in letters.iter().zip(&columns) {
            let _ = writeln!(text, "{letter}  {column}");
        }
        text.push('\n');
        push_line(&mut text, width, "", &letters);
        for ((_, name), marks) in &self.marks {
            push_line(&mut text, width, name, marks);
        }
        let (tried, passed, lost) = (self.tried, self.passed, self.lost);
        let _ = writeln!(
            text,
            "\ncells tried {tried}, passed {passed}, data lost {lost}"
        );
        text
    }
}

fn push_line(text: &mut String, width: usize, name: &str, marks: &[char]) {
    let marks: Vec<String> = marks.iter().map(char::to_string).collect();
    let line = format!("{name:width$}  {}", marks.join(" "));
    let _ = writeln!(text, "{}", line.trim_end());
}
