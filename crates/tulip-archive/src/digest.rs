//! Checksums of streamed bytes.

use sha2::Digest as _;
use tulip_core::{Checksum, ChecksumAlgorithm, ChecksumError};

/// Computes a checksum chunk by chunk.
#[derive(Debug, Clone)]
pub(crate) struct Digester {
    algorithm: ChecksumAlgorithm,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Crc(Box<crc_fast::Digest>),
    Sha256(Box<sha2::Sha256>),
}

impl Digester {
    /// Creates a digester without bytes.
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match algorithm {
            ChecksumAlgorithm::Sha256 => State::Sha256(Box::default()),
            _ => State::Crc(Box::new(crc_fast::Digest::new(
                crc_fast::CrcAlgorithm::Crc64Nvme,
            ))),
        };
        Self { algorithm, state }
    }

    /// Adds the next bytes.
    pub(crate) fn update(&mut self, chunk: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(chunk),
            State::Sha256(digest) => digest.update(chunk),
        }
    }

    /// Returns the checksum of all bytes.
    ///
    /// # Errors
    /// [`ChecksumError`] for an algorithm that this version cannot compute.
    pub(crate) fn finish(self) -> Result<Checksum, ChecksumError> {
        match self.state {
            State::Crc(digest) => {
                Checksum::from_bytes(self.algorithm, &digest.finalize().to_be_bytes())
            }
            State::Sha256(digest) => Checksum::from_bytes(self.algorithm, &digest.finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values from the specifications of both algorithms.
    #[test]
    fn known_answers_are_met_however_the_bytes_are_cut() {
        let sha = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
        for (algorithm, expected) in [
            (ChecksumAlgorithm::Crc64Nvme, "ae8b14860a799888"),
            (ChecksumAlgorithm::Sha256, sha),
        ] {
            for cut in 0..=9 {
                let mut digester = Digester::new(algorithm);
                let (head, tail) = b"123456789".split_at(cut);
                digester.update(head);
                digester.update(tail);
                assert_eq!(digester.finish().unwrap().value(), expected);
            }
        }
    }
}
