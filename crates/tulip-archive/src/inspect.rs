//! All that is learnt from an archive's bytes on their way.

use tulip_core::{Checksum, ChecksumAlgorithm, ChecksumError};

use crate::{Digester, FinalLineBreak, Framer, Framing, FramingError};

/// Counts, frames and sums up an archive in one pass.
#[derive(Debug, Clone)]
pub struct Inspector {
    bytes: u64,
    framer: Framer,
    digester: Digester,
    /// What stores compute, beside an algorithm that they do not.
    crc: Option<Digester>,
}

/// What a whole archive was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Its bytes.
    pub bytes: u64,
    /// Its records and columns.
    pub framing: Framing,
    /// Its checksum.
    pub checksum: Checksum,
    crc: Option<Checksum>,
}

impl Inspection {
    /// Whether a store's checksum is that of these bytes; `None` for an algorithm that was not
    /// computed here. CRC-64/NVME always is.
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
    /// An inspector of no bytes yet.
    #[must_use]
    pub fn new(algorithm: ChecksumAlgorithm, final_line_break: FinalLineBreak) -> Self {
        Self {
            bytes: 0,
            framer: Framer::new().final_line_break(final_line_break),
            digester: Digester::new(algorithm),
            crc: (algorithm != ChecksumAlgorithm::Crc64Nvme)
                .then(|| Digester::new(ChecksumAlgorithm::Crc64Nvme)),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`FramingError`] when this can no longer become the expected CSV.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), FramingError> {
        self.bytes += chunk.len() as u64;
        self.digester.update(chunk);
        if let Some(crc) = &mut self.crc {
            crc.update(chunk);
        }
        self.framer.update(chunk)
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whole records so far, the header not counted.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.framer.records()
    }

    /// CRC-64/NVME of the bytes so far.
    pub(crate) fn crc(&self) -> Result<Checksum, ChecksumError> {
        self.crc.as_ref().unwrap_or(&self.digester).clone().finish()
    }

    /// The findings, if the archive is whole.
    ///
    /// # Errors
    /// What is missing, for people.
    pub fn finish(self) -> Result<Inspection, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Inspection {
            bytes: self.bytes,
            framing: self.framer.finish()?,
            checksum: self.digester.finish()?,
            crc: self.crc.map(Digester::finish).transpose()?,
        })
    }
}
