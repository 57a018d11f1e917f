//! The closing line of a run: its outcomes, size and duration.

use std::time::{Duration, Instant};

use tulip_archive::{ExportErrorKind, Outcome};
use tulip_core::{format_byte_size, format_duration};
use tulip_fleet::{ItemError, ItemReport};

use crate::progress::Progress;

/// Counts how exports end.
pub(crate) struct Summary {
    started: Instant,
    exported: usize,
    unchanged: usize,
    skipped: usize,
    failed: usize,
    interrupted: usize,
    not_started: usize,
    bytes: u64,
}

impl Summary {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            exported: 0,
            unchanged: 0,
            skipped: 0,
            failed: 0,
            interrupted: 0,
            not_started: 0,
            bytes: 0,
        }
    }

    pub(crate) fn record(&mut self, ended: &ItemReport) {
        let count = match &ended.result {
            Ok(Outcome::Exported { receipt, .. }) => {
                self.bytes += receipt.bytes;
                &mut self.exported
            }
            Ok(Outcome::Unchanged { .. }) => &mut self.unchanged,
            Ok(_) => &mut self.skipped,
            Err(ItemError::NotStarted(_)) => &mut self.not_started,
            Err(error) if error.kind() == ExportErrorKind::Interrupted => &mut self.interrupted,
            Err(ItemError::Failed(_)) => &mut self.failed,
        };
        *count += 1;
    }

    /// Prints the line, unless there was a single export, which has already been reported.
    pub(crate) fn print(&self, progress: &Progress) {
        if self.counts().map(|(count, _)| count).iter().sum::<usize>() > 1 {
            progress.say(&self.line(self.started.elapsed()));
        }
    }

    fn counts(&self) -> [(usize, &'static str); 6] {
        [
            (self.exported, "exported"),
            (self.unchanged, "unchanged"),
            (self.skipped, "skipped"),
            (self.failed, "failed"),
            (self.interrupted, "interrupted"),
            (self.not_started, "not started"),
        ]
    }

    fn line(&self, elapsed: Duration) -> String {
        let counts = self.counts();
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let mut parts: Vec<_> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if self.exported > 0 {
            parts.push(format_byte_size(self.bytes));
        }
        format!("{} in {}", parts.join(", "), format_duration(elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_what_there_is_and_nothing_else() {
        let summary = Summary {
            exported: 28,
            unchanged: 1,
            failed: 1,
            bytes: 2_900_000_000,
            ..Summary::start()
        };
        assert_eq!(
            summary.line(Duration::from_secs(180)),
            "28 exported, 1 unchanged, 1 failed, 2.9 GB in 3 min"
        );
        let summary = Summary {
            interrupted: 2,
            not_started: 5,
            ..Summary::start()
        };
        assert_eq!(
            summary.line(Duration::from_millis(1440)),
            "2 interrupted, 5 not started in 1.4 s"
        );
    }
}
