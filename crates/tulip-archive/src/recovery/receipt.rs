//! The receipt of a stored object.

use tulip_core::sink::{Sink, StaleUpload};
use tulip_core::{ObjectKey, Receipt, Timestamp};

use super::Recovery;
use super::object::discard;
use crate::ExportError;
use crate::state::{PendingReceipt, StagedObject};

impl Recovery {
    /// Records that the object is stored and that a writer with this token is about to write its
    /// receipt. If this run ends before that, the next one writes it. An earlier run's staged data
    /// of the receipt is removed before its token is forgotten.
    pub(crate) async fn object_stored(
        &mut self,
        sink: &dyn Sink,
        receipt: &Receipt,
        key: &ObjectKey,
        token: Option<String>,
    ) -> Result<(), ExportError> {
        let stale = self
            .claimed
            .as_ref()
            .and_then(|claimed| claimed.record.pending.clone());
        if let Some(stale) = stale {
            self.confirm().await?;
            discard(sink, &stale.staged).await;
        }
        if let Some(claimed) = &mut self.claimed {
            claimed.record.object = None;
            claimed.record.pending = Some(PendingReceipt {
                receipt: receipt.clone(),
                staged: StagedObject {
                    key: key.clone(),
                    left: StaleUpload::new(Timestamp::now()).with_resume_token(token),
                    part: None,
                },
            });
        }
        self.save(false).await.map(drop)
    }

    /// Records that the receipt is stored too.
    pub(crate) fn receipt_stored(&mut self) {
        if let Some(claimed) = &mut self.claimed {
            claimed.record.pending = None;
        }
    }

    /// Returns the receipt that an earlier run did not get to write.
    pub(crate) fn pending_receipt(&self) -> Option<Receipt> {
        let claimed = self.claimed.as_ref().filter(|_| self.is_resumed)?;
        Some(claimed.record.pending.as_ref()?.receipt.clone())
    }
}
