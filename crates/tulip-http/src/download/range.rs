//! One range of an archive, fetched by a task of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::asset::{Answer, AssetBody, Wanted};
use crate::download::block::Gatherer;
use crate::download::budget::{Budget, Share};
use crate::download::flow::Flow;
use crate::download::origin::Origin;
use crate::download::patience::Patience;
use crate::error::Error;

/// A block that fills slowly is handed over in pieces, no more often than this.
const SLOW: Duration = Duration::from_millis(250);

/// Why a range has ended before its last byte.
#[derive(Debug)]
pub(super) enum Ended {
    /// The archive has changed since the download began.
    Changed,
    /// The host does not keep ranges after all.
    Unfit,
    /// Trying again was given up.
    Failed(Error),
}

/// Some bytes, and what they take of the budget until they are handed over.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _share: Option<Share>,
}

pub(super) type Blocks = mpsc::Sender<Result<Held, Ended>>;

/// Room for what comes before its turn.
pub(super) struct Room {
    pub(super) budget: Budget,
    pub(super) blocks: u32,
    /// Tells when the turn has come: then none is needed.
    pub(super) turn: Arc<Notify>,
}

/// Fetches what `wanted` asks for, of which the reply may be there already, and hands it over in
/// blocks. Every range has a budget of failures of its own.
pub(super) async fn fetch(
    origin: Arc<Origin>,
    wanted: Wanted,
    reply: Option<AssetBody>,
    gatherer: Gatherer,
    flow: Arc<Flow>,
    room: Option<Room>,
    blocks: Blocks,
) {
    let end = wanted.end.unwrap_or(wanted.start);
    let mut range = Range {
        patience: origin.patience(wanted.start),
        gatherer,
        flow,
        origin,
        wanted,
        end,
        room,
        share: None,
        blocks,
    };
    if let Err(ended) = range.run(reply).await {
        // Whoever does not want the rest any more has closed the channel.
        let _ = range.blocks.send(Err(ended)).await;
    }
}

struct Range {
    origin: Arc<Origin>,
    /// What is still to come.
    wanted: Wanted,
    end: u64,
    patience: Patience,
    gatherer: Gatherer,
    flow: Arc<Flow>,
    /// Where there is room, until it has been waited for.
    room: Option<Room>,
    share: Option<Share>,
    blocks: Blocks,
}

impl Range {
    async fn run(&mut self, mut reply: Option<AssetBody>) -> Result<(), Ended> {
        while self.wanted.start < self.end {
            let signed = self.origin.signed();
            let answer = match reply.take() {
                Some(body) => Ok(Answer::Part(body)),
                None => {
                    let asked = Instant::now();
                    let answer = self.origin.ask(&signed, &self.wanted).await;
                    self.flow.add_answer(asked.elapsed());
                    answer
                }
            };
            let failed = match answer {
                Ok(Answer::Part(mut body)) => match self.read(&mut body).await {
                    Ok(()) => continue,
                    Err(error) => {
                        self.patience.broke();
                        error
                    }
                },
                Ok(Answer::Changed) => return Err(Ended::Changed),
                Ok(Answer::Whole(_) | Answer::Unfit) => return Err(Ended::Unfit),
                Err(error) => error,
            };
            let recovered = self.patience.recover(&self.origin, &signed, failed).await;
            if let Err(error) = recovered {
                self.flush().await;
                return Err(Ended::Failed(error));
            }
        }
        self.flush().await;
        Ok(())
    }

    /// Reads a reply to its end.
    async fn read(&mut self, body: &mut AssetBody) -> Result<(), Error> {
        self.wait_for_room().await;
        let mut handed = Instant::now();
        loop {
            let asked = Instant::now();
            let Some(mut chunk) = body.chunk().await? else {
                break;
            };
            self.flow.add(chunk.len(), asked.elapsed());
            self.wanted.start += chunk.len() as u64;
            self.patience.advance(self.wanted.start);
            while !chunk.is_empty() {
                if let Some(block) = self.gatherer.take(&mut chunk) {
                    let share = self.share.as_mut().and_then(Share::block);
                    self.hand_over(block, share).await;
                    handed = Instant::now();
                }
            }
            if handed.elapsed() >= SLOW {
                self.flush().await;
                handed = Instant::now();
            }
        }
        match self.wanted.start >= self.end || body.has_ended_well() {
            true => Ok(()),
            false => Err(self.origin.ended_early()),
        }
    }

    /// Waits until there is room for what comes, or its turn has come. While nothing is read the host is
    /// held back.
    async fn wait_for_room(&mut self) {
        let Some(room) = self.room.take() else {
            return;
        };
        tokio::select! {
            biased;
            share = room.budget.share(room.blocks) => self.share = share,
            () = room.turn.notified() => {}
        }
    }

    async fn flush(&mut self) {
        if let Some(piece) = self.gatherer.flush() {
            self.hand_over(piece, None).await;
        }
    }

    async fn hand_over(&mut self, bytes: Bytes, share: Option<Share>) {
        let held = Held {
            bytes,
            _share: share,
        };
        // Whoever does not want it any more has closed the channel, and ends this task.
        let _ = self.blocks.send(Ok(held)).await;
    }
}
