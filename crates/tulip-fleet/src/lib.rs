#![doc = include_str!("../README.md")]

mod attempt;
mod breaker;
mod budget;
mod collision;
mod engine;
mod error;
mod fence;
mod item_report;
pub mod ledger;
mod limits;
mod manifest;
mod many;
mod outcome;
mod phase;
mod plan;
mod preview;
mod queue;
mod retry;
mod run;
mod selection;
mod shard;
mod sources;
mod start_rate;
mod stop;
mod store_gate;
mod summary;

pub use breaker::CircuitBreaker;
pub use collision::{Collision, CollisionAdvice, Collisions};
pub use error::PlanError;
pub use item_report::{ItemError, ItemReport, NotStarted};
pub use manifest::{Manifest, ManifestEntry, ManifestObject};
pub use many::export_many;
pub use outcome::ItemOutcome;
pub use phase::{Measured, Phase, PhaseSpan};
pub use plan::{Item, Plan};
pub use preview::{Preview, PreviewAction, preview};
pub use retry::{FailedAttempt, ItemRetryPolicy, NeverRetryItem, Retry, RetryByOutcome};
pub use run::{Run, Stopped};
pub use selection::{
    Candidate, Glob, GlobError, Selected, Selection, SelectionError, parse_machine_list,
};
pub use shard::{Shard, ShardError};
pub use sources::{deduplicate, sources_of};
pub use stop::{NeverStop, StopPolicy};
pub use summary::{Counts, ItemSummary, PhaseSummary, RunEnd, RunSummary};

pub use tulip_archive as archive;
