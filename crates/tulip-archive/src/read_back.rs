//! A stored archive, read again.

use tulip_core::sink::{Sink, SinkError};
use tulip_core::{ChecksumAlgorithm, ObjectKey};

use crate::inspect::{InspectError, Inspection, Inspector};
use crate::{FinalLineBreak, FramingRules, RaggedRecords};

/// Reads the archive at `key` through an inspector: what it holds, or why it is no CSV. `None`
/// where there is none.
///
/// What was accepted when it was stored is accepted again: its checksum tells whether it is still
/// the same. `progress` is told how many bytes have been read.
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
