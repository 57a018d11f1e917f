//! The replacement of damaged or missing archives.

use std::sync::Arc;

use tulip_core::{Machine, ObjectKey, Receipt};

use crate::{
    ExportError, ExportErrorKind, Exporter, IfExists, KeyTemplate, Source, Verification,
    VerificationStatus,
};

/// The way to export a missing or damaged archive again, to the same key.
///
/// Tulip may still have the archive of the job in the receipt. If not, only a new archive of the
/// machine can replace the old one.
///
/// ```
/// use tulip_archive::{ExportError, Exporter, Repair, Verification};
///
/// async fn repair(exporter: &Exporter, found: &Verification) -> Result<bool, ExportError> {
///     let Some(repair) = Repair::of(found) else {
///         return Ok(false); // nothing is wrong, or the receipt cannot be read
///     };
///     let exporter = repair.exporter(exporter);
///     match (exporter.export(repair.same_job()).await, repair.new_archive()) {
///         (Err(error), Some(machine)) if Repair::needs_new_archive(&error) => {
///             exporter.export(machine).await?;
///         }
///         (result, _) => drop(result?),
///     }
///     Ok(true)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    key: ObjectKey,
    receipt: Receipt,
}

impl Repair {
    /// Returns the repair of an archive that was found missing or damaged. `None` if nothing is
    /// wrong, or if no receipt can be read to say what to export.
    #[must_use]
    pub fn of(found: &Verification) -> Option<Self> {
        let is_repairable = matches!(
            found.status,
            VerificationStatus::Missing | VerificationStatus::Mismatched(_)
        );
        let receipt = found.receipt.clone().filter(|_| is_repairable)?;
        Some(Self {
            key: found.key.clone(),
            receipt,
        })
    }

    /// The key of the archive.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The archive of the job in the receipt.
    #[must_use]
    pub fn same_job(&self) -> Source {
        self.described(Source::job(self.receipt.job.clone()))
    }

    /// A new archive of the machine in the receipt; `None` if it names none. Exporting it starts a
    /// job.
    #[must_use]
    pub fn new_archive(&self) -> Option<Source> {
        let machine = self.receipt.machine.clone()?;
        Some(self.described(Source::machine(machine)))
    }

    fn described(&self, source: Source) -> Source {
        let receipt = &self.receipt;
        let source = match &receipt.machine {
            Some(id) => {
                let name = receipt.machine_name.clone().unwrap_or_default();
                source.of_machine(&Machine::new(id.clone(), name))
            }
            None => source,
        };
        match &receipt.machine_type {
            Some(name) => source.of_type(name),
            None => source,
        }
    }

    /// Whether the export of [`Repair::same_job`] failed because Tulip no longer has that job or
    /// its archive.
    #[must_use]
    pub fn needs_new_archive(error: &ExportError) -> bool {
        match error.kind() {
            ExportErrorKind::NotFound | ExportErrorKind::JobFailed => true,
            ExportErrorKind::Download => {
                let status = error.http_error().and_then(tulip_http::Error::status);
                matches!(status, Some(404 | 410))
            }
            _ => false,
        }
    }

    /// Returns an exporter for this archive alone: like `exporter`, which must write to the
    /// verified sink, but with the key and the checksum algorithm of the archive to replace. A
    /// stored object is replaced even if its receipt looks valid.
    #[must_use]
    pub fn exporter(&self, exporter: &Exporter) -> Exporter {
        let mut setup = exporter.setup.as_ref().clone();
        setup.name = Some(KeyTemplate::literal(&self.key));
        setup.algorithm = self.receipt.checksum.algorithm();
        setup.if_exists = IfExists::Overwrite;
        setup.repairs = true;
        Exporter {
            setup: Arc::new(setup),
        }
    }
}
