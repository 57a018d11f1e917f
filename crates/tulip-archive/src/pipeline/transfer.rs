//! The transfer of the bytes from the archive's host to the sink.

use futures_util::FutureExt as _;
use tulip_core::sink::SinkWriter;
use tulip_http::{Checkpoint, Download, Piece};

use super::open;
use super::start::Started;
use super::wait::Ready;
use crate::admission::Permit;
use crate::cancellation::Cancellation;
use crate::context::Context;
use crate::inspect::{Inspection, Inspector};
use crate::recovery::Recovery;
use crate::{Advice, Event, ExportError, ExportErrorKind, FramingError, InspectError, Outcome};

/// An archive that is whole and completely written.
pub(crate) struct Transferred {
    pub(super) started: Started,
    pub(super) writer: Box<dyn SinkWriter>,
    pub(super) inspection: Inspection,
    pub(super) source_etag: Option<String>,
    pub(super) attempts: u32,
}

pub(super) enum Moved {
    Whole(Box<Transferred>),
    /// An object already exists and is kept.
    Skipped(Outcome),
}

/// The source of the bytes: a [`Download`], or memory in tests.
pub(crate) trait ByteSource: Send {
    fn next(&mut self) -> impl Future<Output = Result<Option<Piece>, tulip_http::Error>> + Send;

    /// The length that the host announced.
    fn length(&self) -> Option<u64>;

    /// The position from which another run can resume.
    fn checkpoint(&self) -> Option<Checkpoint>;

    /// The number of requests that failed and were retried.
    fn retries(&self) -> u32;
}

impl ByteSource for Download {
    fn next(&mut self) -> impl Future<Output = Result<Option<Piece>, tulip_http::Error>> + Send {
        Self::next(self)
    }

    fn length(&self) -> Option<u64> {
        Self::length(self)
    }

    fn checkpoint(&self) -> Option<Checkpoint> {
        Self::checkpoint(self)
    }

    fn retries(&self) -> u32 {
        self.attempts().saturating_sub(1)
    }
}

/// Moves bytes from a download through an inspector to a sink's writer.
pub(crate) struct Transfer<S> {
    source: S,
    writer: Box<dyn SinkWriter>,
    inspector: Inspector,
    max_bytes: Option<u64>,
}

/// The result of one step of a [`Transfer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Some bytes were handed to the sink.
    Moved,
    /// The download has restarted: the bytes written so far are useless.
    Restarted,
    /// All bytes were handed to the sink.
    Whole,
}

impl<S: ByteSource> Transfer<S> {
    /// Takes the next piece from the download and hands it to the sink.
    ///
    /// # Cancellation
    /// Dropping the future can lose the piece that is being written: only what the sink has kept
    /// before is usable.
    async fn step(&mut self) -> Result<Step, ExportError> {
        let chunk = match self.source.next().await.map_err(ExportError::download)? {
            Some(Piece::Bytes(chunk)) => chunk,
            Some(_) => return Ok(Step::Restarted),
            None => return self.end(),
        };
        check_size(self.max_bytes, self.inspector.bytes() + chunk.len() as u64)?;
        let inspected = self.inspector.update(&chunk);
        inspected.map_err(|error| not_whole(error, self.source.length()))?;
        let written = self.writer.write(chunk).await;
        written.map_err(|error| ExportError::sink("could not store archive", error))?;
        Ok(Step::Moved)
    }

    fn end(&self) -> Result<Step, ExportError> {
        let bytes = self.inspector.bytes();
        match self.source.length() {
            Some(length) if length != bytes => Err(ExportError::new(
                ExportErrorKind::IncompleteArchive,
                format!("{bytes} of {length} bytes arrived"),
            )),
            _ => Ok(Step::Whole),
        }
    }
}

/// Moves the whole archive. If the download restarts, so does the object.
pub(super) async fn transfer(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    recovery: &mut Recovery,
    ready: Ready,
) -> Result<Moved, ExportError> {
    let max_bytes = cx.setup.max_bytes;
    cx.emit(Event::Opening);
    let opening = async { Ok(open::resumed(cx, recovery, &ready.started).await) };
    let mut resumed = cancellation.guard(opening).await?;
    let checkpoint = resumed.as_ref().map(|resumed| resumed.checkpoint.clone());
    let admitting = admitted(cx, &ready, checkpoint);
    let (mut download, _turn) = cancellation.guard(admitting).await?;
    let started = ready.started;
    let key = &started.key;
    loop {
        let length = download.length();
        check_size(max_bytes, length.unwrap_or_default())?;
        let object = match resumed.take() {
            Some(resumed) => {
                let bytes = resumed.inspector.bytes();
                cx.emit(Event::Resuming { key, bytes, length });
                Some((resumed.writer, resumed.inspector))
            }
            None => begin(cx, cancellation, recovery, &started, length).await?,
        };
        let Some((writer, inspector)) = object else {
            return Ok(Moved::Skipped(cx.skipped(key).await));
        };
        let mut transfer = Transfer {
            source: download,
            writer,
            inspector,
            max_bytes,
        };
        let ended = cancellation.guard(drive(cx, recovery, &mut transfer)).await;
        let Transfer {
            source,
            writer,
            inspector,
            ..
        } = transfer;
        download = source;
        match ended {
            Ok(Step::Whole) => match inspector.finish() {
                Ok(inspection) => {
                    return Ok(Moved::Whole(Box::new(Transferred {
                        source_etag: download.etag().map(str::to_owned),
                        attempts: download.attempts(),
                        started,
                        writer,
                        inspection,
                    })));
                }
                Err(error) => {
                    recovery.abort(writer).await;
                    return Err(not_accepted(error, download.length()));
                }
            },
            Ok(_) => recovery.abort(writer).await,
            Err(error) => {
                let checkpoint = download.checkpoint();
                recovery.leave(writer, &inspector, checkpoint, &error).await;
                return Err(error);
            }
        }
    }
}

/// Opens the object and an inspector for an archive from its first byte; `None` if an existing
/// object is kept.
async fn begin(
    cx: &mut Context,
    cancellation: &mut Cancellation,
    recovery: &mut Recovery,
    started: &Started,
    length: Option<u64>,
) -> Result<Option<(Box<dyn SinkWriter>, Inspector)>, ExportError> {
    let key = &started.key;
    cx.emit(Event::Downloading { key, length });
    recovery.discard_stale(cx.setup.sink.as_ref()).await?;
    let Some(writer) = open::object(cx, cancellation, started, length).await? else {
        return Ok(None);
    };
    let (token, on_close) = (writer.resume_token(), writer.stages_on_close());
    recovery.object_opened(key, token, on_close).await?;
    Ok(Some((writer, cx.setup.inspector(length))))
}

/// Opens the download and waits for the turn to move its bytes. The connection is closed during the
/// wait, since hosts close idle ones.
async fn admitted(
    cx: &mut Context,
    ready: &Ready,
    checkpoint: Option<Checkpoint>,
) -> Result<(Download, Option<Permit>), ExportError> {
    let download = open::download(cx, ready, checkpoint.clone()).await?;
    let length = download.length();
    check_size(cx.setup.max_bytes, length.unwrap_or_default())?;
    let Some(admission) = cx.admission.clone() else {
        return Ok((download, None));
    };
    let mut turn = admission.transfer(length);
    if let Some(permit) = (&mut turn).now_or_never() {
        return Ok((download, Some(permit)));
    }
    drop(download);
    cx.emit(Event::Deferred { length });
    let permit = turn.await;
    cx.emit(Event::Opening);
    Ok((open::download(cx, ready, checkpoint).await?, Some(permit)))
}

/// Runs a transfer until it ends or the download restarts.
async fn drive(
    cx: &mut Context,
    recovery: &mut Recovery,
    transfer: &mut Transfer<impl ByteSource>,
) -> Result<Step, ExportError> {
    loop {
        recovery
            .save_resume_token(transfer.writer.resume_token())
            .await?;
        match transfer.step().await? {
            Step::Moved => {}
            ended => return Ok(ended),
        }
        let bytes = transfer.inspector.bytes();
        if recovery.is_checkpoint_due(bytes) {
            let checkpoint = transfer.source.checkpoint();
            let writer = transfer.writer.as_mut();
            recovery
                .checkpoint(writer, &transfer.inspector, checkpoint)
                .await?;
        }
        cx.emit(Event::Progress {
            bytes,
            length: transfer.source.length(),
            records: transfer.inspector.records(),
            retries: transfer.source.retries(),
        });
    }
}

fn check_size(max_bytes: Option<u64>, bytes: u64) -> Result<(), ExportError> {
    match max_bytes {
        Some(most) if bytes > most => {
            let what = format!("the archive has more than the {most} bytes of the limit");
            let error = ExportError::new(ExportErrorKind::TooLarge, what);
            Err(error.with_advice(Advice::RaiseMaxBytes))
        }
        _ => Ok(()),
    }
}

fn not_accepted(error: InspectError, length: Option<u64>) -> ExportError {
    match error {
        InspectError::Framing(error) => not_whole(error, length),
        InspectError::Checksum(error) => {
            ExportError::new(ExportErrorKind::InvalidRequest, error.to_string())
        }
    }
}

/// Returns the error for an archive that is not whole, or not an archive at all. A missing final
/// line break can be allowed only if the host has announced the length.
fn not_whole(error: FramingError, length: Option<u64>) -> ExportError {
    let kind = match error {
        FramingError::HeaderTooLong
        | FramingError::BlankHeader
        | FramingError::WideEncoding { .. }
        | FramingError::NulByte { .. }
        | FramingError::ControlZ { .. } => ExportErrorKind::NotAnArchive,
        _ => ExportErrorKind::IncompleteArchive,
    };
    let mut what = error.to_string();
    let advice = match error {
        FramingError::OpenRecord {
            fields, columns, ..
        } if fields == columns as u64 => match length {
            Some(_) => Some(Advice::AllowMissingFinalLineBreak),
            None => {
                what.push_str(
                    "; its host has announced no length, so nothing shows that this is all",
                );
                None
            }
        },
        FramingError::RaggedRecord { .. } | FramingError::JsonRecord { .. } => {
            Some(Advice::AllowRagged)
        }
        _ => None,
    };
    let failed = ExportError::new(kind, what);
    match advice {
        Some(advice) => failed.with_advice(advice),
        None => failed,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use bytes::Bytes;
    use tulip_core::ChecksumAlgorithm;
    use tulip_core::sink::{SinkError, StoredObject, async_trait};

    use super::*;
    use crate::FramingRules;

    /// A download from memory that pauses before each piece.
    struct Memory {
        pieces: VecDeque<Piece>,
        length: Option<u64>,
    }

    impl ByteSource for Memory {
        async fn next(&mut self) -> Result<Option<Piece>, tulip_http::Error> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(self.pieces.pop_front())
        }

        fn length(&self) -> Option<u64> {
            self.length
        }

        fn checkpoint(&self) -> Option<Checkpoint> {
            None
        }

        fn retries(&self) -> u32 {
            0
        }
    }

    /// An object in memory that takes a minute per chunk.
    struct Slow(Arc<Mutex<Vec<u8>>>);

    #[async_trait]
    impl SinkWriter for Slow {
        async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
            tokio::time::sleep(Duration::from_secs(60)).await;
            self.0.lock().unwrap().extend_from_slice(&chunk);
            Ok(())
        }

        async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
            Ok(StoredObject::new(self.0.lock().unwrap().len() as u64))
        }

        async fn abort(self: Box<Self>) -> Result<(), SinkError> {
            Ok(())
        }
    }

    fn transfer(
        pieces: &[&'static str],
        length: Option<u64>,
        max_bytes: Option<u64>,
    ) -> (Transfer<Memory>, Arc<Mutex<Vec<u8>>>) {
        let written = Arc::default();
        let pieces = pieces.iter().map(|text| match *text {
            "" => Piece::Restarted,
            text => Piece::Bytes(Bytes::from_static(text.as_bytes())),
        });
        let transfer = Transfer {
            source: Memory {
                pieces: pieces.collect(),
                length,
            },
            writer: Box::new(Slow(Arc::clone(&written))),
            inspector: Inspector::new(ChecksumAlgorithm::default(), FramingRules::new()),
            max_bytes,
        };
        (transfer, written)
    }

    async fn run(transfer: &mut Transfer<Memory>) -> Result<Step, ExportError> {
        loop {
            match transfer.step().await? {
                Step::Moved => {}
                ended => return Ok(ended),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_sink_slows_the_download_and_gets_every_byte_in_order() {
        let (mut transfer, written) = transfer(&["a,b\n", "1,2\n", "3,4\n"], Some(12), None);
        let began = tokio::time::Instant::now();
        assert_eq!(run(&mut transfer).await.unwrap(), Step::Whole);
        assert_eq!(*written.lock().unwrap(), b"a,b\n1,2\n3,4\n");
        assert_eq!(began.elapsed(), Duration::from_secs(3 * 61 + 1));
        assert_eq!(transfer.inspector.finish().unwrap().framing.records, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_download_that_starts_over_is_told() {
        let (mut transfer, _) = transfer(&["a,b\n", "", "a,b\n"], None, None);
        assert_eq!(run(&mut transfer).await.unwrap(), Step::Restarted);
    }

    #[tokio::test(start_paused = true)]
    async fn fewer_bytes_than_announced_and_more_than_allowed_are_errors() {
        let (mut short, _) = transfer(&["a,b\n"], Some(5), None);
        let error = run(&mut short).await.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::IncompleteArchive);
        let (mut long, written) = transfer(&["a,b\n", "1,2\n"], None, Some(7));
        let error = run(&mut long).await.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::TooLarge);
        assert_eq!(error.advice(), Some(&Advice::RaiseMaxBytes));
        assert_eq!(written.lock().unwrap().len(), 4);
    }
}
