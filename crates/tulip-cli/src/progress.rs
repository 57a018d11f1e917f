//! Progress bars on stderr, when that is a terminal.

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tulip_archive::Event;

use crate::args::LogFormat;
use crate::output::plain;

/// The target of log lines that stand for messages; shown at every verbosity.
pub(crate) const NOTES: &str = "tulip::notes";

const WAITING: &str = "{spinner} {prefix:<28!} {wide_msg}";
const KNOWN: &str = "{spinner} {prefix:<28!} [{bar:24}] {decimal_bytes:>9} of {decimal_total_bytes:<9} {decimal_bytes_per_sec:>10}, {eta} left {wide_msg}";
const UNKNOWN: &str =
    "{spinner} {prefix:<28!} {decimal_bytes:>9} {decimal_bytes_per_sec:>10} {wide_msg}";
const ALL: &str = "  {pos} of {len} archives, {elapsed}";

/// All bars of the command.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
    terminal: bool,
    /// Whether messages have to be JSON log lines.
    json: bool,
}

impl Progress {
    /// Bars that are drawn if stderr is a terminal and not a log of JSON lines.
    pub(crate) fn new(format: LogFormat) -> Self {
        let json = matches!(format, LogFormat::Json);
        let term = std::env::var_os("TERM");
        let terminal = io::stderr().is_terminal() && !json && understands_control(term.as_deref());
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            terminal,
            json,
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Runs `work`, which writes to the terminal, with the bars out of its way.
    pub(crate) fn beside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bars.suspend(work)
    }

    /// Prints a line on stderr.
    pub(crate) fn say(&self, line: &str) {
        if self.json {
            tracing::info!(target: NOTES, "{}", line.trim());
            return;
        }
        self.beside(|| {
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// Prints what went wrong on stderr, and on a line of its own what can be done about it.
    pub(crate) fn error(&self, message: &str, hint: Option<&str>) {
        let (message, hint) = (plain(message), hint.map(plain));
        if self.json {
            tracing::error!(target: NOTES, hint, "{message}");
            return;
        }
        self.say(&format!("error: {message}"));
        if let Some(hint) = hint {
            self.say(&format!("hint: {hint}"));
        }
    }

    /// Prints what the user should know, and what is no error.
    pub(crate) fn warn(&self, message: &str) {
        let message = plain(message);
        if self.json {
            tracing::warn!(target: NOTES, "{message}");
            return;
        }
        self.say(&format!("warning: {message}"));
    }

    /// The line below the bars that counts archives.
    pub(crate) fn all(&self, archives: usize) -> AllBar {
        let bar = self.bar(|bars| bars.add(ProgressBar::new(archives as u64)), ALL);
        AllBar { bar }
    }

    /// The bar of one export.
    pub(crate) fn export(&self, name: &str) -> ExportBar {
        let bar = self.bar(|bars| bars.insert(0, ProgressBar::no_length()), WAITING);
        if let Some(bar) = &bar {
            bar.set_prefix(name.to_owned());
        }
        ExportBar { bar }
    }

    /// Without a terminal nothing is drawn: thousands of exports then have thousands of bars less.
    fn bar(
        &self,
        add: impl FnOnce(&MultiProgress) -> ProgressBar,
        template: &str,
    ) -> Option<ProgressBar> {
        self.terminal.then(|| {
            let bar = add(&self.bars);
            bar.set_style(style(template));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        })
    }
}

/// Whether a terminal of this kind can be drawn on. On Unix one that does not tell cannot.
fn understands_control(term: Option<&OsStr>) -> bool {
    match term {
        Some(term) => !term.is_empty() && term != "dumb",
        None => !cfg!(unix),
    }
}

/// A template that does not parse would be a bare bar: no reason to fail.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The count of archives, gone when it is dropped.
pub(crate) struct AllBar {
    bar: Option<ProgressBar>,
}

impl AllBar {
    /// Counts an archive.
    pub(crate) fn one_more(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}

impl Drop for AllBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The bar of one export, gone when it is dropped.
pub(crate) struct ExportBar {
    bar: Option<ProgressBar>,
}

impl ExportBar {
    /// Shows a step of the export.
    pub(crate) fn show(&self, event: &Event<'_>) {
        let Some(bar) = &self.bar else {
            return;
        };
        match event {
            Event::Started { job } => bar.set_message(format!("started job {job}")),
            Event::ResumingJob { job, .. } => {
                bar.set_message(format!("resuming job {job}"));
            }
            Event::Waiting { status, waited, .. } => {
                let seconds = waited.as_secs();
                let status = plain(status.as_str());
                bar.set_message(format!("job is {status}, waited {seconds} s"));
            }
            Event::WaitFailing { .. } => {
                bar.set_message("Tulip is not responding, retrying");
            }
            Event::Downloading { length, .. } | Event::Resuming { length, .. } => {
                match length {
                    Some(length) => {
                        bar.set_length(*length);
                        bar.set_style(style(KNOWN));
                    }
                    None => bar.set_style(style(UNKNOWN)),
                }
                if let Event::Resuming { bytes, .. } = event {
                    bar.set_position(*bytes);
                }
                bar.set_message("");
                bar.reset_eta();
            }
            Event::Progress { bytes, .. } => bar.set_position(*bytes),
            Event::Committing => bar.set_message("committing"),
            _ => {}
        }
    }
}

impl Drop for ExportBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_is_not_drawn_on() {
        let understands = |term: &str| understands_control(Some(OsStr::new(term)));
        assert!(understands("xterm-256color") && understands("screen"));
        assert!(!understands("dumb") && !understands(""));
        assert_eq!(understands_control(None), !cfg!(unix));
    }
}
