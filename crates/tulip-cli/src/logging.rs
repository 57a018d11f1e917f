//! Log lines on stderr.

use std::fmt;
use std::io::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::args::LogFormat;
use crate::output::plain;
use crate::progress::{NOTES, Progress};

/// Our crates. Others stay silent at every level, because an HTTP stack logs URLs.
const TARGETS: [&str; 7] = [
    "tulip",
    "tulip_archive",
    "tulip_core",
    "tulip_emulator",
    "tulip_fleet",
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
        .with_ansi(false);
    let registry = tracing_subscriber::registry();
    match format {
        LogFormat::Text => {
            let text = Text {
                has_time: verbose > 0,
            };
            registry
                .with(lines.event_format(text).with_filter(filter))
                .init();
        }
        LogFormat::Json => registry.with(lines.json().with_filter(filter)).init(),
    }
}

/// Lines that look like the other messages of the command: `warning: …`.
///
/// The message of an error or warning is complete: its fields are for JSON. Less severe lines also
/// show their fields.
struct Text {
    has_time: bool,
}

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.has_time {
            SystemTime.format_time(&mut writer)?;
            writer.write_char(' ')?;
        }
        let (name, has_fields) = match *event.metadata().level() {
            Level::ERROR => ("error", false),
            Level::WARN => ("warning", false),
            Level::INFO => ("info", true),
            Level::DEBUG => ("debug", true),
            Level::TRACE => ("trace", true),
        };
        let mut parts = Parts::default();
        event.record(&mut parts);
        write!(writer, "{name}: {}", plain(&parts.message))?;
        if has_fields {
            writer.write_str(&plain(&parts.fields))?;
        }
        writer.write_char('\n')
    }
}

/// The message and the fields of an event.
#[derive(Default)]
struct Parts {
    message: String,
    fields: String,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields.push_str(&format!(" {name}={value:?}")),
        }
    }
}

/// Writes whole lines without disturbing the progress display.
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
            // If stderr is closed, nobody is left to tell.
            let _ = io::stderr().write_all(&self.bytes);
        });
    }
}
