//! The exports of a run that are not under way.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tulip_archive::JobId;
use tulip_archive::core::Timestamp;

use crate::phase::Stopwatch;
use crate::{Item, ItemReport};

/// An export that is waiting for its turn.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) item: Item,
    /// Its earlier attempts, if there were any.
    pub(crate) earlier: Option<Earlier>,
}

/// The failed attempts of an export.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) tries: Tries,
    /// How the export ends if it is not tried again.
    pub(crate) report: ItemReport,
    /// The job that the next attempt can use.
    pub(crate) job: Option<JobId>,
}

/// How often an export was tried, and since when.
#[derive(Debug)]
pub(crate) struct Tries {
    pub(crate) attempts: u32,
    /// When the run took up the export, by the wall clock and the monotonic clock.
    pub(crate) started: (Timestamp, Instant),
    pub(crate) stopwatch: Stopwatch,
}

/// The exports that are waiting for their turn, and those whose next attempt is not due yet.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Queued>,
    /// Keyed by the time when they are due; the number distinguishes those due at the same time.
    delayed: BTreeMap<(Instant, u64), Queued>,
    last: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Queue {
    pub(crate) fn new(items: Vec<Item>) -> Self {
        let new = |item| Queued {
            item,
            earlier: None,
        };
        Self {
            waiting: items.into_iter().map(new).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.delayed.len()
    }

    /// Returns the number of exports whose next attempt is not due yet.
    pub(crate) fn delayed(&self) -> usize {
        self.delayed.len()
    }

    /// Returns the export whose turn is next.
    pub(crate) fn front(&self) -> Option<&Queued> {
        self.waiting.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Queued> {
        self.waiting.pop_front()
    }

    /// Queues an export for its next attempt, ahead of those that were not tried yet.
    pub(crate) fn retry(&mut self, queued: Queued, after: Duration) {
        let due = Instant::now().checked_add(after);
        let Some(due) = due.filter(|_| !after.is_zero()) else {
            return self.waiting.push_front(queued);
        };
        self.last += 1;
        self.delayed.insert((due, self.last), queued);
        // The timer may be set for a later one.
        self.timer = None;
    }

    /// Moves the exports that are due to the front.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) {
        while let Some(first) = self.delayed.first_entry() {
            let due = first.key().0;
            if due <= Instant::now() {
                self.waiting.push_front(first.remove());
                self.timer = None;
                continue;
            }
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.as_mut().poll(cx).is_pending() {
                return;
            }
        }
    }

    /// Removes and returns all exports, in no particular order.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Queued> + use<> {
        let delayed = std::mem::take(&mut self.delayed);
        self.timer = None;
        delayed
            .into_values()
            .chain(std::mem::take(&mut self.waiting))
    }
}
