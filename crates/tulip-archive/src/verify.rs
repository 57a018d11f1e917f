//! Stored archives, read again and compared with their receipts.

use std::fmt;
use std::sync::Arc;

use tulip_core::sink::{Sink, SinkError};
use tulip_core::{ObjectKey, Receipt};

use crate::ChecksumAlgorithm;
use crate::inspect::Inspection;
use crate::read_back::read_back;
use crate::receipts::{RUNS_FOLDER, ReceiptError, read_receipt};

/// Reads what a sink holds and compares it with the receipts beside it.
///
/// ```
/// use tulip_archive::core::NetworkOptions;
/// use tulip_archive::core::sink::{Listed, SinkRegistry};
/// use tulip_archive::{VerificationStatus, Verifier, parse_target};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let target = parse_target("/data/tulip")?;
/// let sink = SinkRegistry::linked()?.connect(&target, &NetworkOptions::default()).await?;
/// let verifier = Verifier::new(sink.clone());
/// let mut entries = sink.list().await?;
/// while let Some(entry) = entries.next().await? {
///     match entry {
///         Listed::Key(key) => {
///             if let Some(checked) = verifier.check(&key).await?
///                 && checked.status.is_bad()
///             {
///                 println!("{}: {}", checked.location, checked.status);
///             }
///         }
///         Listed::Skipped { reason, .. } => println!("skipped: {reason}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    sink: Arc<dyn Sink>,
    watch: Option<Watch>,
}

/// How far an archive has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// The bytes that have been read.
    pub bytes: u64,
    /// The bytes that the archive has, as its receipt says.
    pub length: u64,
}

/// What is called while an archive is read.
#[derive(Clone)]
struct Watch(Arc<dyn Fn(VerifyProgress) + Send + Sync>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// What was found about one archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The archive.
    pub key: ObjectKey,
    /// Where it lies: a path or URL without any secret.
    pub location: String,
    /// Its receipt, where it can be read.
    pub receipt: Option<Receipt>,
    /// Whether it is what its receipt says.
    pub status: VerificationStatus,
}

/// Whether a stored archive is what its receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerificationStatus {
    /// Bytes, checksum and records are those of the receipt.
    Intact,
    /// They are not, and how that showed.
    Mismatched(String),
    /// There is a receipt and no archive.
    Missing,
    /// The receipt cannot be used, and why.
    BadReceipt(String),
    /// There is no receipt: nothing tells what it should be, and it may not be ours.
    NoReceipt,
}

impl VerificationStatus {
    /// Whether something is wrong. An object without a receipt is not: it may be anybody's.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        !matches!(self, Self::Intact | Self::NoReceipt)
    }
}

impl fmt::Display for VerificationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intact => f.write_str("intact"),
            Self::Mismatched(how) => f.write_str(how),
            Self::Missing => f.write_str("missing"),
            Self::BadReceipt(why) => write!(f, "invalid receipt: {why}"),
            Self::NoReceipt => f.write_str("no receipt"),
        }
    }
}

impl Verifier {
    /// A verifier of what `sink` holds; it must be able to look up and to read.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, watch: None }
    }

    /// The same verifier, which calls `watch` when it begins to read an archive and after every
    /// chunk. It tells of one archive after the other: clone the verifier to check several at once.
    #[must_use]
    pub fn on_progress(mut self, watch: impl Fn(VerifyProgress) + Send + Sync + 'static) -> Self {
        self.watch = Some(Watch(Arc::new(watch)));
        self
    }

    fn tell(&self, bytes: u64, length: u64) {
        if let Some(Watch(watch)) = &self.watch {
            watch(VerifyProgress { bytes, length });
        }
    }

    /// Checks what a key that the sink lists stands for: a receipt for its archive, an archive for
    /// itself if it has no receipt. `None` for an archive that has one, since the receipt is listed
    /// too, and for what runs write about themselves below [`RUNS_FOLDER`].
    ///
    /// # Errors
    /// [`SinkError`] when the sink cannot be read. That says nothing about the archive.
    pub async fn check(&self, listed: &ObjectKey) -> Result<Option<Verification>, SinkError> {
        let folder = listed.as_str().split('/').next();
        if folder == Some(RUNS_FOLDER) {
            return Ok(None);
        }
        match listed.of_receipt() {
            Some(key) => self.archive(key).await.map(Some),
            None => {
                let receipt = self.sink.lookup(&listed.receipt()).await?;
                let lone = receipt.is_none();
                Ok(lone.then(|| self.checked(listed.clone(), None, VerificationStatus::NoReceipt)))
            }
        }
    }

    fn checked(
        &self,
        key: ObjectKey,
        receipt: Option<Receipt>,
        status: VerificationStatus,
    ) -> Verification {
        Verification {
            location: self.sink.location(&key),
            key,
            receipt,
            status,
        }
    }

    /// Checks the archive under `key`.
    ///
    /// # Errors
    /// As [`Verifier::check`].
    pub async fn archive(&self, key: ObjectKey) -> Result<Verification, SinkError> {
        let receipt = match read_receipt(self.sink.as_ref(), &key).await {
            Ok(Some(receipt)) => receipt,
            Ok(None) => {
                let there = self.sink.lookup(&key).await?.is_some();
                let status = match there {
                    true => VerificationStatus::NoReceipt,
                    false => VerificationStatus::Missing,
                };
                return Ok(self.checked(key, None, status));
            }
            Err(ReceiptError::Invalid { reason, .. }) => {
                return Ok(self.checked(key, None, VerificationStatus::BadReceipt(reason)));
            }
            Err(ReceiptError::Read(error)) => return Err(error),
        };
        let algorithm = receipt.checksum.algorithm();
        let progress = |bytes| self.tell(bytes, receipt.bytes);
        let status = match read_back(self.sink.as_ref(), &key, algorithm, progress).await? {
            Some(Ok(found)) => compare(&found, &receipt, algorithm),
            Some(Err(error)) => VerificationStatus::Mismatched(error.to_string()),
            None => VerificationStatus::Missing,
        };
        Ok(self.checked(key, Some(receipt), status))
    }
}

fn compare(
    found: &Inspection,
    receipt: &Receipt,
    algorithm: ChecksumAlgorithm,
) -> VerificationStatus {
    if found.bytes != receipt.bytes {
        let (is, was) = (found.bytes, receipt.bytes);
        return VerificationStatus::Mismatched(format!("size mismatch: {is}, expected {was}"));
    }
    if found.checksum != receipt.checksum {
        let (is, was) = (found.checksum.value(), receipt.checksum.value());
        return VerificationStatus::Mismatched(format!(
            "{algorithm} mismatch: {is}, expected {was}"
        ));
    }
    if found.framing.records != receipt.records || found.framing.columns != receipt.columns {
        let (is, was) = (found.framing.records, receipt.records);
        return VerificationStatus::Mismatched(format!(
            "the bytes match, but records or columns do not: {is} records, expected {was}"
        ));
    }
    VerificationStatus::Intact
}
