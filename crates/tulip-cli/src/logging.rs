//! Log lines on stderr.

use std::io::{self, Write};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use crate::args::LogFormat;
use crate::progress::{NOTES, Progress};

/// Our crates. Others stay silent at every level: an HTTP stack logs URLs.
const TARGETS: [&str; 6] = [
    "tulip",
    "tulip_archive",
    "tulip_core",
    "tulip_emulator",
    "tulip_http",
    "tulip_sinks",
];

/// Sets up logging for the process.
pub(crate) fn init(verbose: u8, format: LogFormat, progress: &Progress) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = Targets::new()
        .with_targets(TARGETS.map(|target| (target, level)))
        .with_target(NOTES, level.max(LevelFilter::INFO));
    let writer = BesideProgress(progress.clone());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(progress.is_terminal() && !colors_are_unwanted());
    let registry = tracing_subscriber::registry();
    match format {
        LogFormat::Text => registry
            .with(lines.with_target(verbose > 1).with_filter(filter))
            .init(),
        LogFormat::Json => registry.with(lines.json().with_filter(filter)).init(),
    }
}

/// An empty `NO_COLOR` asks for nothing: <https://no-color.org>.
fn colors_are_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Writes whole lines without tearing the progress bars.
struct BesideProgress(Progress);

struct Line {
    progress: Progress,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for BesideProgress {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            progress: self.0.clone(),
            bytes: Vec::new(),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.progress.beside(|| {
            // Nobody is left to tell when stderr is closed.
            let _ = io::stderr().write_all(&self.bytes);
        });
    }
}
