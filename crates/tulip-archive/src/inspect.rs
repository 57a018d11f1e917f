//! The inspection of an archive's bytes as they are streamed.

use tulip_core::{Checksum, ChecksumAlgorithm, ChecksumError};

use crate::csv::{Framer, Framing, FramingError, FramingRules};
use crate::digest::Digester;

/// Why an archive's bytes are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// They are not a whole CSV. If the download was cut off, another one can be whole.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// This version cannot compute the requested checksum.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
}

/// Counts records, checks that a CSV is whole, and computes its checksum, in one pass over chunks
/// of any size. Memory use is bounded by the header, which may have up to 1 MiB.
///
/// Records and columns are counted as in the csv crate. A CSV is whole if its last record ends with
/// a line break outside quotes and has as many fields as the header; [`FramingRules`] relax that.
/// UTF-16, NUL bytes and a final ^Z are refused.
///
/// ```
/// use tulip_archive::{ChecksumAlgorithm, FramingRules, Inspector};
/// let mut inspector = Inspector::new(ChecksumAlgorithm::Crc64Nvme, FramingRules::new());
/// for chunk in ["State,Reason\r\nDown,\"no oil,", " see \"\"log\"\"\r\n\"\r\nRun", "ning,5\" pipe\r\n"] {
///     inspector.update(chunk.as_bytes())?;
/// }
/// let inspection = inspector.finish()?;
/// assert_eq!(inspection.framing.records, 2);
/// assert_eq!(inspection.framing.columns, ["State", "Reason"]);
/// # Ok::<(), tulip_archive::InspectError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Inspector {
    bytes: u64,
    framer: Framer,
    digester: Digester,
    /// CRC-64/NVME, which stores compute, if the requested algorithm is another.
    crc: Option<Digester>,
}

/// The contents of a whole archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Its size in bytes.
    pub bytes: u64,
    /// Its records and columns.
    pub framing: Framing,
    /// Its checksum.
    pub checksum: Checksum,
    crc: Option<Checksum>,
}

impl Inspection {
    /// Whether a store's checksum matches these bytes; `None` if its algorithm was not computed
    /// here. CRC-64/NVME always is.
    #[must_use]
    pub fn agrees_with(&self, stored: &Checksum) -> Option<bool> {
        [Some(&self.checksum), self.crc.as_ref()]
            .into_iter()
            .flatten()
            .find(|own| own.algorithm() == stored.algorithm())
            .map(|own| own == stored)
    }
}

impl Inspector {
    /// Creates an inspector without bytes.
    #[must_use]
    pub fn new(algorithm: ChecksumAlgorithm, rules: FramingRules) -> Self {
        Self {
            bytes: 0,
            framer: Framer::new(rules),
            digester: Digester::new(algorithm),
            crc: (algorithm != ChecksumAlgorithm::Crc64Nvme)
                .then(|| Digester::new(ChecksumAlgorithm::Crc64Nvme)),
        }
    }

    /// Adds the next bytes. After an error the inspector can no longer be used.
    ///
    /// # Errors
    /// [`FramingError`] if this can no longer become an acceptable CSV.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), FramingError> {
        self.bytes += chunk.len() as u64;
        self.digester.update(chunk);
        if let Some(crc) = &mut self.crc {
            crc.update(chunk);
        }
        self.framer.update(chunk)
    }

    /// The number of bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of whole records so far, without the header.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.framer.records()
    }

    /// CRC-64/NVME of the bytes so far.
    pub(crate) fn crc(&self) -> Result<Checksum, ChecksumError> {
        self.crc.as_ref().unwrap_or(&self.digester).clone().finish()
    }

    /// Returns the contents of the archive, if it is whole.
    ///
    /// # Errors
    /// [`InspectError::Framing`] if it is not a whole CSV, [`InspectError::Checksum`] if this
    /// version cannot compute its checksum.
    pub fn finish(self) -> Result<Inspection, InspectError> {
        Ok(Inspection {
            bytes: self.bytes,
            framing: self.framer.finish()?,
            checksum: self.digester.finish()?,
            crc: self.crc.map(Digester::finish).transpose()?,
        })
    }
}
