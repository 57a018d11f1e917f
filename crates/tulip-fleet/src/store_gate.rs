//! A gate that holds back exports while the store is down.

use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::watch;
use tulip_archive::Exporter;

/// A gate that is closed while the store is down. One probe at a time checks whether the store is
/// back.
pub(crate) struct StoreGate {
    open: watch::Sender<bool>,
    exporter: Option<Exporter>,
    probing: Option<BoxFuture<'static, bool>>,
    failed_probes: u32,
    is_given_up: bool,
}

/// Waits for a gate to open.
#[derive(Debug, Clone)]
pub(crate) struct Waiter(watch::Receiver<bool>);

impl fmt::Debug for StoreGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreGate")
            .field("open", &self.is_open())
            .field("failed_probes", &self.failed_probes)
            .finish_non_exhaustive()
    }
}

impl StoreGate {
    pub(crate) fn new() -> Self {
        Self {
            open: watch::Sender::new(true),
            exporter: None,
            probing: None,
            failed_probes: 0,
            is_given_up: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Whether the store did not come back in time.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    pub(crate) fn waiter(&self) -> Waiter {
        Waiter::new(self.open.subscribe())
    }

    /// Closes the gate, and probes the store through `exporter`. Before each probe, `pauses`
    /// returns the pause for the number of failed ones. If it returns `None` for 0, the gate stays
    /// open.
    pub(crate) fn close(
        &mut self,
        exporter: &Exporter,
        pauses: &mut impl FnMut(u32) -> Option<Duration>,
    ) {
        if self.is_given_up || !self.is_open() {
            return;
        }
        if let Some(pause) = pauses(0) {
            self.failed_probes = 0;
            self.exporter = Some(exporter.clone());
            self.open.send_replace(false);
            self.probing = Some(probe(exporter.clone(), pause));
        }
    }

    /// Polls the probe: opens the gate on success, and schedules another probe on failure.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        pauses: &mut impl FnMut(u32) -> Option<Duration>,
    ) {
        while let Some(probing) = &mut self.probing {
            let Poll::Ready(is_back) = probing.poll_unpin(cx) else {
                return;
            };
            self.probing = None;
            if !is_back {
                self.failed_probes += 1;
                let pause = pauses(self.failed_probes);
                if let (Some(exporter), Some(pause)) = (&self.exporter, pause) {
                    self.probing = Some(probe(exporter.clone(), pause));
                    continue;
                }
                self.is_given_up = true;
            }
            // If the store was given up, the exports under way fail with its errors.
            self.open.send_replace(true);
        }
    }
}

impl Waiter {
    pub(crate) fn new(is_open: watch::Receiver<bool>) -> Self {
        Self(is_open)
    }

    /// Waits until the gate is open.
    pub(crate) async fn pass(&self) {
        // A gate that was dropped holds nothing back.
        drop(self.0.clone().wait_for(|is_open| *is_open).await);
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.0.borrow()
    }
}

fn probe(exporter: Exporter, pause: Duration) -> BoxFuture<'static, bool> {
    async move {
        tokio::time::sleep(pause).await;
        exporter.probe_again().await.is_ok()
    }
    .boxed()
}
