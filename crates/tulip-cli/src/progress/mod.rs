//! Output on stderr: messages, and progress if it is a terminal.

mod layout;
mod screen;
mod view;

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tulip_archive::{Event, VerifyProgress};

use self::screen::Screen;
use self::view::View;
use crate::args::{Cli, LogFormat};
use crate::output::plain;

/// The target of log lines that carry messages; shown at every verbosity.
pub(crate) const NOTES: &str = "tulip::notes";

/// How often progress is drawn. Elapsed times tick in seconds, and people read the rates.
const TICK: Duration = Duration::from_millis(200);

/// Messages of the command, and its progress. Clones share both.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    /// `None` if nothing is drawn.
    display: Option<Arc<Display>>,
    /// Whether messages are JSON log lines.
    json: bool,
    quiet: bool,
}

/// The drawing and its screen. Writing to the terminal needs the lock.
#[derive(Debug)]
struct Display(Mutex<Drawing>);

#[derive(Debug)]
struct Drawing {
    screen: Screen,
    /// The run that is shown, if one is under way.
    view: Option<View>,
}

impl Display {
    fn lock(&self) -> MutexGuard<'_, Drawing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what the next drawing shows.
    fn update(&self, change: impl FnOnce(&mut View)) {
        if let Some(view) = &mut self.lock().view {
            change(view);
        }
    }
}

impl Drawing {
    fn draw(&mut self) {
        let Some(view) = &mut self.view else {
            return;
        };
        let (height, width) = self.screen.size();
        let lines = layout::lines(view, Instant::now(), width, height);
        self.screen.draw(lines, width);
    }
}

impl Progress {
    /// Draws progress if stderr is a terminal, unless the command line asks for something else.
    pub(crate) fn new(cli: &Cli) -> Self {
        let json = matches!(cli.log_format, LogFormat::Json);
        let term = std::env::var_os("TERM");
        let terminal = io::stderr().is_terminal() && !json && understands_control(term.as_deref());
        let is_drawn = terminal && !cli.quiet && !cli.command.has_no_progress();
        let display = is_drawn.then(|| {
            let drawing = Drawing {
                screen: Screen::stderr(),
                view: None,
            };
            Arc::new(Display(Mutex::new(drawing)))
        });
        Self {
            display,
            json,
            quiet: cli.quiet,
        }
    }

    /// Whether only errors and warnings are printed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Runs `work`, which writes to the terminal: clears the progress before and redraws it after.
    pub(crate) fn beside<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(display) = &self.display else {
            return work();
        };
        let mut drawing = display.lock();
        drawing.screen.clear();
        let done = work();
        drawing.draw();
        done
    }

    /// Prints a line on stderr, unless `--quiet` is set.
    pub(crate) fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        if self.json {
            tracing::info!(target: NOTES, "{}", line.trim());
            return;
        }
        self.print(line);
    }

    /// Prints an error on stderr, and a hint on its own line.
    pub(crate) fn error(&self, message: &str, hint: Option<&str>) {
        let (message, hint) = (plain(message), hint.map(plain));
        if self.json {
            tracing::error!(target: NOTES, hint, "{message}");
            return;
        }
        self.print(&format!("error: {message}"));
        if let Some(hint) = hint {
            self.print(&format!("hint: {hint}"));
        }
    }

    /// Prints a hint about errors that have already been printed.
    pub(crate) fn hint(&self, hint: &str) {
        if self.json {
            tracing::info!(target: NOTES, hint, "{hint}");
            return;
        }
        self.print(&format!("hint: {hint}"));
    }

    /// Prints a warning on stderr, and a hint on its own line.
    pub(crate) fn warn(&self, message: &str, hint: Option<&str>) {
        let (message, hint) = (plain(message), hint.map(plain));
        if self.json {
            tracing::warn!(target: NOTES, hint, "{message}");
            return;
        }
        self.print(&format!("warning: {message}"));
        if let Some(hint) = hint {
            self.print(&format!("hint: {hint}"));
        }
    }

    fn print(&self, line: &str) {
        self.beside(|| {
            // If stderr is closed, nobody is left to tell.
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// Shows the progress of a run of this many archives, until the result is dropped.
    pub(crate) fn all(&self, archives: usize) -> RunProgress {
        self.run(Some(archives))
    }

    /// Like [`Progress::all`], but for a run whose number of archives is not yet known.
    pub(crate) fn open_ended(&self) -> RunProgress {
        self.run(None)
    }

    fn run(&self, archives: Option<usize>) -> RunProgress {
        let ticker = self.display.as_ref().map(|display| {
            display.lock().view = Some(View::new(archives, Instant::now()));
            Ticker::start(display)
        });
        RunProgress { ticker }
    }

    /// Shows the progress of one archive of the run, until the result is dropped.
    pub(crate) fn export(&self, name: &str) -> ExportProgress {
        let mut id = None;
        if let Some(display) = &self.display {
            display.update(|view| id = Some(view.add(name, Instant::now())));
        }
        ExportProgress {
            row: self.display.clone().zip(id),
        }
    }
}

/// Whether a terminal with this `TERM` can be drawn on. On Unix, one without `TERM` cannot.
fn understands_control(term: Option<&OsStr>) -> bool {
    match term {
        Some(term) => !term.is_empty() && term != "dumb",
        None => !cfg!(unix),
    }
}

/// Redraws in its own thread, because times have to tick while nothing happens.
struct Ticker {
    display: Arc<Display>,
    /// Dropped to end the thread.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(display: &Arc<Display>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let drawn = Arc::clone(display);
        let work = move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                drawn.lock().draw();
            }
        };
        // If the thread cannot start, progress is drawn whenever a line is printed.
        let thread = thread::Builder::new().name("progress".to_owned());
        Self {
            display: Arc::clone(display),
            stop: Some(stop),
            thread: thread.spawn(work).ok(),
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has nothing more to draw.
            let _ = thread.join();
        }
        let mut drawing = self.display.lock();
        drawing.view = None;
        drawing.screen.clear();
    }
}

/// The progress of a run, cleared on drop.
pub(crate) struct RunProgress {
    ticker: Option<Ticker>,
}

impl RunProgress {
    /// Marks the number of archives as final: all are under way or have ended.
    pub(crate) fn complete(&self) {
        if let Some(ticker) = &self.ticker {
            ticker.display.update(View::complete);
        }
    }

    /// Counts an archive that is done or has failed.
    pub(crate) fn one_more(&self, has_failed: bool) {
        if let Some(ticker) = &self.ticker {
            ticker.display.update(|view| view.count(has_failed));
        }
    }
}

/// The progress of one archive, cleared on drop.
pub(crate) struct ExportProgress {
    row: Option<(Arc<Display>, u64)>,
}

impl ExportProgress {
    /// Shows how far a stored archive has been read.
    pub(crate) fn show_read(&self, progress: VerifyProgress) {
        if let Some((display, id)) = &self.row {
            display.update(|view| view.show_read(*id, progress.bytes, progress.length));
        }
    }

    /// Shows a step of the export.
    pub(crate) fn show(&self, event: &Event<'_>) {
        if let Some((display, id)) = &self.row {
            display.update(|view| view.show(*id, event));
        }
    }
}

impl Drop for ExportProgress {
    fn drop(&mut self) {
        if let Some((display, id)) = &self.row {
            display.update(|view| view.remove(*id));
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
