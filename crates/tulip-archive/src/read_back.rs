//! Reading a stored archive again.

use tulip_core::sink::{Sink, SinkError};
use tulip_core::{ChecksumAlgorithm, ObjectKey};

use crate::inspect::{InspectError, Inspection, Inspector};
use crate::{FinalLineBreak, FramingRules, RaggedRecords};

/// Reads the archive at `key` through an inspector, and returns what it contains or why it is not a
/// CSV; `None` if there is no archive.
///
/// The framing rules are lenient, since the archive was accepted when it was stored and its
/// checksum shows whether it has changed. Calls `progress` with the bytes read so far.
pub(crate) async fn read_back(
    sink: &dyn Sink,
    key: &ObjectKey,
    algorithm: ChecksumAlgorithm,
    progress: impl Fn(u64) + Send,
) -> Result<Option<Result<Inspection, InspectError>>, SinkError> {
    let Some(mut reader) = sink.read(key).await? else {
        return Ok(None);
    };
    let rules = FramingRules::new()
        .with_final_line_break(FinalLineBreak::Optional)
        .with_ragged(RaggedRecords::Allow);
    let mut inspector = Inspector::new(algorithm, rules);
    let mut bytes = 0;
    progress(bytes);
    while let Some(chunk) = reader.next().await? {
        bytes += chunk.len() as u64;
        progress(bytes);
        if let Err(error) = inspector.update(&chunk) {
            return Ok(Some(Err(error.into())));
        }
    }
    Ok(Some(inspector.finish()))
}
