//! A fence that lets an export send starts only while this process holds the claim of the run.

use std::sync::Arc;

use tokio::sync::watch;
use tulip_archive::{Admission, Permit, Turn};

use crate::budget::Turns;
use crate::ledger::RunLog;

/// The turns of an export whose run is recorded in a ledger.
#[derive(Debug)]
pub(crate) struct Fence {
    turns: Arc<Turns>,
    log: Arc<RunLog>,
    is_lost: watch::Sender<bool>,
}

impl Fence {
    pub(crate) fn new(turns: Arc<Turns>, log: Arc<RunLog>) -> Arc<Self> {
        let is_lost = watch::Sender::new(false);
        Arc::new(Self {
            turns,
            log,
            is_lost,
        })
    }

    /// Whether a start was held back because another process has taken the run over.
    pub(crate) fn is_lost(&self) -> bool {
        *self.is_lost.borrow()
    }

    /// Completes when a start is held back.
    pub(crate) fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut is_lost = self.is_lost.subscribe();
        async move {
            if is_lost.wait_for(|is_lost| *is_lost).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Admission for Fence {
    /// An export calls this once it holds its own claim. Only then can the claim of the run be
    /// checked: if it were checked earlier, another process could take over both, finish the export
    /// and release its claim, and this process would claim the export and start it again.
    fn start(&self) -> Turn<'_, Permit> {
        Box::pin(async {
            let permit = self.turns.start().await;
            if !self.log.is_ours().await {
                self.is_lost.send_replace(true);
                std::future::pending::<()>().await;
            }
            permit
        })
    }

    fn download(&self) -> Turn<'_, Permit> {
        Admission::download(&*self.turns)
    }

    fn transfer(&self, length: Option<u64>) -> Turn<'_, Permit> {
        self.turns.transfer(length)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::RunSummary;
    use crate::budget::Budget;
    use crate::ledger::{BeginOutcome, Continue, Ledger, MemoryLedger, NewRun};
    use crate::limits::Limits;
    use crate::store_gate::StoreGate;

    async fn claimed(ledger: &MemoryLedger, run: &RunSummary) -> Arc<RunLog> {
        let new = NewRun::new(run.clone(), "export");
        let begun = ledger.begin(new.continuing(Continue::Run(run.id.clone())));
        let begun = match begun.await.unwrap() {
            BeginOutcome::Missing => ledger.begin(NewRun::new(run.clone(), "export")).await,
            begun => Ok(begun),
        };
        let Ok(BeginOutcome::Claimed { claim, .. }) = begun else {
            panic!("{begun:?}");
        };
        Arc::new(RunLog::new(Arc::new(ledger.clone()), claim))
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_taken_for_dead_starts_nothing_more_but_may_download() {
        let (gate, ledger) = (StoreGate::new(), MemoryLedger::new());
        let turns = Budget::new(&Limits::default(), gate.waiter()).turns().await;
        let run = RunSummary::starting("https://acme.tulip.co", "file:///data");
        let fence = Fence::new(turns, claimed(&ledger, &run).await);
        drop(fence.start().await);
        assert!(!fence.is_lost());
        let other = ledger.restarted();
        let _theirs = claimed(&other, &run).await;
        let (lost, minute) = (fence.lost(), Duration::from_secs(60));
        let start = tokio::time::timeout(minute, fence.start()).await;
        assert!(start.is_err());
        assert!(fence.is_lost());
        lost.await;
        drop(Admission::download(&*fence).await);
    }
}
