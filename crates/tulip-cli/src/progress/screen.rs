//! The lines below the output that are redrawn in place.

use console::Term;

use crate::output::display_width;

/// The last lines of a terminal.
#[derive(Debug)]
pub(super) struct Screen {
    term: Term,
    /// The widths of the drawn lines. The cursor is below them.
    drawn: Vec<usize>,
}

impl Screen {
    pub(super) fn stderr() -> Self {
        Self::of(Term::buffered_stderr())
    }

    fn of(term: Term) -> Self {
        Self {
            term,
            drawn: Vec::new(),
        }
    }

    /// Rows and columns; 24 and 80 if the terminal does not report them.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = self.term.size_checked();
        let (rows, columns) = size
            .filter(|size| size.0 > 0 && size.1 > 0)
            .unwrap_or((24, 80));
        (rows.into(), columns.into())
    }

    /// Replaces the drawn lines.
    pub(super) fn draw(&mut self, lines: Vec<String>, width: usize) {
        self.take_back(width);
        for line in &lines {
            // If stderr is closed, nobody is left to see it.
            let _ = self.term.write_line(line);
        }
        let _ = self.term.flush();
        self.drawn = lines.iter().map(|line| display_width(line)).collect();
    }

    /// Removes the drawn lines.
    pub(super) fn clear(&mut self) {
        let (_, width) = self.size();
        self.take_back(width);
        let _ = self.term.flush();
    }

    /// Moves the cursor to the start of the first line and clears from there. If the terminal has
    /// become narrower, it has wrapped the lines, so they take more rows.
    fn take_back(&mut self, width: usize) {
        let rows = std::mem::take(&mut self.drawn);
        let rows = rows.iter().map(|line| line.div_ceil(width.max(1)).max(1));
        let rows: usize = rows.sum();
        if rows > 0 {
            let _ = self.term.move_cursor_up(rows);
            let _ = self.term.clear_to_end_of_screen();
        }
    }
}

// A terminal can be made of a buffer only on Unix.
#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn screen() -> (Screen, Arc<Mutex<Vec<u8>>>) {
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&written));
        (
            Screen::of(Term::read_write_pair(std::io::stdin(), writer)),
            written,
        )
    }

    #[derive(Debug)]
    struct Writer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl std::os::fd::AsRawFd for Writer {
        fn as_raw_fd(&self) -> std::os::fd::RawFd {
            2
        }
    }

    fn told(written: &Mutex<Vec<u8>>) -> String {
        String::from_utf8(std::mem::take(&mut *written.lock().unwrap())).unwrap()
    }

    #[test]
    fn lines_are_drawn_over_where_they_are() {
        let (mut screen, written) = screen();
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        screen.draw(lines("one\ntwo"), 80);
        assert_eq!(told(&written), "one\ntwo\n");
        screen.draw(lines("three"), 80);
        assert_eq!(told(&written), "\u{1b}[2A\r\u{1b}[0Jthree\n");
    }

    #[test]
    fn lines_that_a_narrower_terminal_has_wrapped_are_removed_whole() {
        let (mut screen, written) = screen();
        screen.draw(vec!["x".repeat(80), "y".repeat(39), String::new()], 80);
        told(&written);
        screen.draw(Vec::new(), 40);
        assert!(told(&written).starts_with("\u{1b}[4A"));
        screen.draw(Vec::new(), 40);
        assert_eq!(told(&written), "");
    }
}
