//! The comparison of stored archives with their receipts.

use std::fmt;
use std::sync::Arc;

use tulip_core::sink::{Sink, SinkError};
use tulip_core::{ObjectKey, Receipt};

use crate::ChecksumAlgorithm;
use crate::inspect::Inspection;
use crate::read_back::read_back;
use crate::receipts::{RUNS_FOLDER, ReceiptError, read_receipt};

/// Reads the archives in a sink and compares them with their receipts.
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

/// The progress of reading an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// The bytes read so far.
    pub bytes: u64,
    /// The archive's size in bytes according to its receipt.
    pub length: u64,
}

/// The callback for the progress.
#[derive(Clone)]
struct Watch(Arc<dyn Fn(VerifyProgress) + Send + Sync>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

/// The result of checking one archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The archive.
    pub key: ObjectKey,
    /// Its location: a path or URL without secrets.
    pub location: String,
    /// Its receipt, if it can be read.
    pub receipt: Option<Receipt>,
    /// Whether it matches its receipt.
    pub status: VerificationStatus,
}

/// Whether a stored archive matches its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerificationStatus {
    /// Size, checksum, records and columns match the receipt.
    Intact,
    /// The archive differs, in this way.
    Mismatched(String),
    /// There is no archive.
    Missing,
    /// The receipt cannot be used, for this reason.
    BadReceipt(String),
    /// There is no receipt to compare with; the object may not be ours.
    NoReceipt,
}

impl VerificationStatus {
    /// Whether something is wrong. A missing receipt is not, since the object may be anybody's.
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
    /// Creates a verifier of `sink`, which must support lookups and reads.
    #[must_use]
    pub fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, watch: None }
    }

    /// Calls `watch` when the verifier begins to read an archive and after every chunk. The
    /// progress does not name its archive: use one clone of the verifier for each that is checked
    /// at the same time.
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

    /// Checks the archive of a listed key: a receipt stands for its archive, an archive without a
    /// receipt for itself. `None` for an archive with a receipt, since the receipt is listed too,
    /// and for the manifests of runs below [`RUNS_FOLDER`].
    ///
    /// # Errors
    /// [`SinkError`] if the sink cannot be read, which says nothing about the archive.
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

    /// Checks the archive at `key`.
    ///
    /// # Errors
    /// Like [`Verifier::check`].
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
