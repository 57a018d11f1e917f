//! Checksums and their algorithms. The orchestration computes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::one_line;

/// A checksum algorithm.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// CRC-64/NVME, the default: tens of GB/s, and what S3 computes by default.
    #[default]
    #[serde(rename = "crc64nvme")]
    Crc64Nvme,
    /// SHA-256: cryptographic, several times slower than the download it checks.
    #[serde(rename = "sha256")]
    Sha256,
}

impl ChecksumAlgorithm {
    /// Returns the stable name, as used in receipts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Sha256 => "sha256",
        }
    }

    /// Returns the length of the digest in bytes.
    const fn digest_length(self) -> usize {
        match self {
            Self::Crc64Nvme => 8,
            Self::Sha256 => 32,
        }
    }
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error parsing a checksum or its algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChecksumError {
    /// The algorithm is unknown.
    #[error("unknown checksum algorithm {:?}; known are crc64nvme and sha256", shown(.0))]
    UnknownAlgorithm(String),
    /// The digest is not lower-case hexadecimal of the algorithm's length.
    #[error("a {algorithm} checksum is {expected} hexadecimal digits, not {:?}", shown(.value))]
    Value {
        /// The algorithm.
        algorithm: ChecksumAlgorithm,
        /// The number of digits it has.
        expected: usize,
        /// The value found.
        value: String,
    },
}

/// Makes foreign text safe to show.
fn shown(text: &str) -> String {
    one_line(text, 80)
}

impl TryFrom<String> for ChecksumAlgorithm {
    type Error = ChecksumError;
    fn try_from(text: String) -> Result<Self, ChecksumError> {
        text.parse()
    }
}

impl FromStr for ChecksumAlgorithm {
    type Err = ChecksumError;
    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        match text {
            "crc64nvme" => Ok(Self::Crc64Nvme),
            "sha256" => Ok(Self::Sha256),
            other => Err(ChecksumError::UnknownAlgorithm(other.to_owned())),
        }
    }
}

/// The checksum of an archive's bytes, as lower-case hexadecimal, most significant byte first.
///
/// ```
/// use tulip_core::{Checksum, ChecksumAlgorithm};
/// let checksum = Checksum::from_bytes(ChecksumAlgorithm::Crc64Nvme, &[0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88]);
/// assert_eq!(checksum.unwrap().to_string(), "crc64nvme:ae8b14860a799888");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    value: String,
}

#[derive(Deserialize)]
struct Raw {
    algorithm: ChecksumAlgorithm,
    value: String,
}

impl Checksum {
    /// Creates a checksum from its digest, most significant byte first.
    ///
    /// # Errors
    /// [`ChecksumError::Value`] if `digest` does not have the algorithm's length.
    pub fn from_bytes(algorithm: ChecksumAlgorithm, digest: &[u8]) -> Result<Self, ChecksumError> {
        let value = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self::from_hex(algorithm, value)
    }

    /// Creates a checksum from its hexadecimal form.
    ///
    /// # Errors
    /// [`ChecksumError::Value`] if it is not lower-case hexadecimal of the algorithm's length.
    pub fn from_hex(algorithm: ChecksumAlgorithm, value: String) -> Result<Self, ChecksumError> {
        let expected = 2 * algorithm.digest_length();
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if value.len() != expected || !value.bytes().all(hex) {
            return Err(ChecksumError::Value {
                algorithm,
                expected,
                value,
            });
        }
        Ok(Self { algorithm, value })
    }

    /// Returns the algorithm.
    #[must_use]
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Returns the digest as lower-case hexadecimal.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl TryFrom<Raw> for Checksum {
    type Error = ChecksumError;
    fn try_from(raw: Raw) -> Result<Self, ChecksumError> {
        Self::from_hex(raw.algorithm, raw.value)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_round_trip_and_wrong_ones_are_refused() {
        let checksum = Checksum::from_bytes(ChecksumAlgorithm::Sha256, &[0xab; 32]).unwrap();
        let json = serde_json::to_string(&checksum).unwrap();
        assert_eq!(
            json,
            format!(r#"{{"algorithm":"sha256","value":"{}"}}"#, "ab".repeat(32))
        );
        assert_eq!(serde_json::from_str::<Checksum>(&json).unwrap(), checksum);
        assert!(Checksum::from_bytes(ChecksumAlgorithm::Sha256, &[0; 8]).is_err());
        assert!(
            Checksum::from_hex(ChecksumAlgorithm::Crc64Nvme, "AE8B14860A799888".into()).is_err()
        );
        assert!(
            "md5"
                .parse::<ChecksumAlgorithm>()
                .unwrap_err()
                .to_string()
                .contains("sha256")
        );
    }
}
