//! The sink behind `--to -`: one archive on standard output.

use std::error::Error as StdError;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tulip_archive::ExportError;
use tulip_core::sink::{
    OpenOptions, Sink, SinkError, SinkErrorKind, SinkFactory, SinkOption, SinkUrl, SinkUrlError,
    SinkWriter, StoredObject, async_trait,
};
use tulip_core::{NetworkOptions, ObjectKey};

/// The scheme of the target that `-` stands for.
pub(crate) const SCHEME: &str = "stdout";

/// The option that names the file of the receipt.
const RECEIPT: SinkOption = SinkOption::new("receipt", "file of the receipt").public();

tulip_core::register_sink!(StdoutFactory);

/// The target that `-` stands for.
pub(crate) fn url() -> Result<SinkUrl, SinkUrlError> {
    SinkUrl::parse("stdout:///")
}

/// Adds the file for the receipt to `url`.
pub(crate) fn with_receipt(url: SinkUrl, file: &str) -> SinkUrl {
    url.with_option(RECEIPT.name, file)
}

/// Whether an export has failed because the reader of standard output is gone, as with `| head -1`.
/// Such a failure is not reported.
pub(crate) fn reader_has_left(error: &ExportError) -> bool {
    let cause = error.sink_error().and_then(StdError::source);
    cause.is_some_and(|cause| cause.is::<ReaderHasLeft>())
}

#[derive(Debug, thiserror::Error)]
#[error("the reader has closed it")]
struct ReaderHasLeft;

struct StdoutFactory;

#[async_trait]
impl SinkFactory for StdoutFactory {
    fn scheme(&self) -> &str {
        SCHEME
    }

    fn summary(&self) -> &str {
        "standard output, one archive"
    }

    fn example(&self) -> &str {
        "-"
    }

    fn options(&self) -> &[SinkOption] {
        &[RECEIPT]
    }

    async fn connect(&self, url: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
        Ok(Arc::new(Stdout {
            written: Arc::default(),
            receipt: url.option(RECEIPT.name).map(PathBuf::from),
        }))
    }
}

/// Standard output. Written bytes cannot be taken back.
#[derive(Debug)]
struct Stdout {
    /// Archive bytes written so far.
    written: Arc<AtomicU64>,
    receipt: Option<PathBuf>,
}

#[async_trait]
impl Sink for Stdout {
    fn scheme(&self) -> &str {
        SCHEME
    }

    fn location(&self, _: &ObjectKey) -> String {
        SCHEME.to_owned()
    }

    async fn open(
        &self,
        key: &ObjectKey,
        _: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        if key.is_receipt() {
            return Ok(Box::new(ReceiptWriter {
                json: Vec::new(),
                file: self.receipt.clone(),
            }));
        }
        match self.written.load(Ordering::Relaxed) {
            0 => Ok(Box::new(ArchiveWriter {
                written: self.written.clone(),
                is_closed: false,
            })),
            // A second copy after the first would be worse than none.
            bytes => Err(
                SinkError::new(SinkErrorKind::Other, "cannot write to stdout").with_reason(
                    format!("the download started over after {bytes} bytes had been written"),
                    "discard the output, and run the command again",
                ),
            ),
        }
    }
}

struct ArchiveWriter {
    written: Arc<AtomicU64>,
    /// Whether the reader is gone.
    is_closed: bool,
}

impl ArchiveWriter {
    fn failed(&mut self, error: io::Error) -> SinkError {
        self.is_closed = error.kind() == io::ErrorKind::BrokenPipe;
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SinkErrorKind::StorageFull,
            _ => SinkErrorKind::Other,
        };
        let failed = SinkError::new(kind, "cannot write to stdout");
        match self.is_closed {
            true => failed.with_source(ReaderHasLeft),
            false => failed.with_source(error),
        }
    }
}

#[async_trait]
impl SinkWriter for ArchiveWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        // Count before writing: a failed write may have written a part.
        self.written
            .fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let written = blocking(move || io::stdout().lock().write_all(&chunk)).await;
        written.map_err(|error| self.failed(error))
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        let flushed = blocking(|| io::stdout().lock().flush()).await;
        flushed.map_err(|error| self.failed(error))?;
        Ok(StoredObject::new(self.written.load(Ordering::Relaxed)))
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        match self.written.load(Ordering::Relaxed) {
            bytes if bytes > 0 && !self.is_closed => Err(SinkError::new(
                SinkErrorKind::Other,
                format!("{bytes} bytes of an incomplete archive were written to stdout"),
            )),
            _ => Ok(()),
        }
    }
}

/// Collects a receipt, and writes it to its file if there is one.
struct ReceiptWriter {
    json: Vec<u8>,
    file: Option<PathBuf>,
}

#[async_trait]
impl SinkWriter for ReceiptWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.json.extend_from_slice(&chunk);
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
        let Self { json, file } = *self;
        let bytes = json.len() as u64;
        let Some(file) = file else {
            return Ok(StoredObject::new(bytes));
        };
        let what = format!("cannot write {}", file.display());
        let written = blocking(move || std::fs::write(file, json)).await;
        written.map_err(|error| SinkError::new(SinkErrorKind::Other, what).with_source(error))?;
        Ok(StoredObject::new(bytes))
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Runs a write that can block for as long as its reader does.
async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}
