//! A suite that checks a [`Ledger`] against its contract.
//!
//! Implement [`Fixture`], and run the suite in a test:
//!
//! ```
//! use std::sync::Arc;
//!
//! use tulip_fleet::archive::core::sink::async_trait;
//! use tulip_fleet::ledger::conformance::{self, Fixture};
//! use tulip_fleet::ledger::{Ledger, MemoryLedger};
//!
//! struct InMemory(MemoryLedger);
//!
//! #[async_trait]
//! impl Fixture for InMemory {
//!     fn ledger(&self) -> Arc<dyn Ledger> { Arc::new(self.0.clone()) }
//!     async fn another_process(&self) -> Arc<dyn Ledger> {
//!         Arc::new(self.0.another_process())
//!     }
//!     async fn presume_dead(&self) { drop(self.0.restarted()); }
//! }
//!
//! # async fn test() {
//! conformance::run(&InMemory(MemoryLedger::new())).await.assert_passed();
//! # }
//! ```
//!
//! The ledger need not be empty: the runs of the suite have their own targets, and are removed.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tulip_archive::Source;
use tulip_archive::core::Timestamp;
use tulip_archive::core::conformance::{CaseResult, Failure, Report};
use tulip_archive::core::sink::async_trait;
use tulip_archive::state::Claim;

use super::contract::{BeginOutcome, Continue, Ledger, NewRun, RunOverview};
use crate::{ItemOutcome, ItemSummary, RunEnd, RunSummary};

/// How often a claim is tried that another call is about to release.
const MANY_TRIES: usize = 10_000;

/// A ledger, and ways to see it as other processes do.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Returns the ledger, always as the same process.
    fn ledger(&self) -> Arc<dyn Ledger>;

    /// Returns the same ledger, as another process that runs at the same time sees it.
    async fn another_process(&self) -> Arc<dyn Ledger>;

    /// Makes all other processes presume the process of [`Fixture::ledger`] dead, though it is not.
    /// The suite calls this last.
    async fn presume_dead(&self);
}

/// Checks a ledger. A failed case does not stop the others.
pub async fn run(fixture: &dyn Fixture) -> Report {
    let mut report = Report::default();
    let mut add = |name, result: Result<(), Failure>| {
        report.add(name, result.map(|()| CaseResult::Passed));
    };
    add(
        "a run is planned, recorded, ended, listed and removed",
        lifecycle(fixture).await,
    );
    add(
        "a run that ended early is continued, and keeps what it has finished",
        continued(fixture).await,
    );
    add(
        "only the latest run of the same command is continued, unless it is complete or too old",
        not_continued(fixture).await,
    );
    add(
        "a run of a given id is continued, however it has ended",
        by_id(fixture).await,
    );
    add(
        "runs to one target exclude each other where they share an export",
        exclusion(fixture).await,
    );
    add(
        "the claim of a run whose future is dropped is released",
        dropped_begin(fixture).await,
    );
    add("claims at once have one winner", race(fixture).await);
    add(
        "a claim that has ended changes nothing",
        ended(fixture).await,
    );
    add(
        "a process that was taken for dead is fenced",
        fencing(fixture).await,
    );
    report
}

fn check(holds: bool, what: &str) -> Result<(), Failure> {
    match holds {
        true => Ok(()),
        false => Err(what.into()),
    }
}

/// Returns a target that no other case uses, in this or another run of the suite.
fn target() -> String {
    let unique = RandomState::new().build_hasher().finish();
    format!("/conformance/{unique:016x}")
}

fn source(machine: &str) -> Result<Source, Failure> {
    Ok(Source::machine(machine.parse()?))
}

/// Returns a run of these machines.
fn plan(target: &str, machines: &[&str]) -> Result<NewRun, Failure> {
    let mut run = RunSummary::starting("https://conformance.example", target);
    let waiting = |machine: &&str| Ok(ItemSummary::waiting(&source(machine)?));
    run.items = machines
        .iter()
        .map(waiting)
        .collect::<Result<_, Failure>>()?;
    Ok(NewRun::new(run, "export --all"))
}

fn latest(mut new: NewRun) -> NewRun {
    let an_hour_ago = new.run.started.as_system_time() - Duration::from_secs(3600);
    new.continues = Continue::Latest(Timestamp::from(an_hour_ago));
    new
}

fn item(machine: &str, outcome: ItemOutcome) -> Result<ItemSummary, Failure> {
    let mut item = ItemSummary::waiting(&source(machine)?);
    (item.outcome, item.is_open) = (outcome, false);
    if outcome.is_success() {
        (item.error, item.error_kind) = (None, None);
        (item.bytes, item.records) = (Some(100), Some(7));
    }
    Ok(item)
}

async fn begin(ledger: &dyn Ledger, new: NewRun) -> Result<(Claim, RunSummary), Failure> {
    match ledger.begin(new).await? {
        BeginOutcome::Claimed { claim, run } if claim.id() == run.id => Ok((claim, *run)),
        other => Err(format!("a run that is free gave {other:?}").into()),
    }
}

async fn is_busy(ledger: &dyn Ledger, new: NewRun, with: &str) -> Result<bool, Failure> {
    match ledger.begin(new).await? {
        BeginOutcome::Busy { run, .. } => Ok(run == with),
        BeginOutcome::Claimed { claim, .. } => {
            ledger.release(claim.clone());
            ledger.remove(claim.id()).await?;
            Ok(false)
        }
        BeginOutcome::Missing => Ok(false),
    }
}

async fn overview(ledger: &dyn Ledger, id: &str) -> Result<Option<RunOverview>, Failure> {
    let mut runs = ledger.runs().await?.into_iter();
    Ok(runs.find(|overview| overview.run.id == id))
}

async fn items(ledger: &dyn Ledger, id: &str) -> Result<Vec<(String, ItemOutcome, bool)>, Failure> {
    let run = ledger.run(id).await?.ok_or("a run is not there")?;
    Ok(shown(&run))
}

fn shown(run: &RunSummary) -> Vec<(String, ItemOutcome, bool)> {
    let items = run.items.iter();
    let items = items.map(|item| (item.id(), item.outcome, item.is_open));
    let mut items: Vec<_> = items.collect();
    items.sort_by(|one, other| one.0.cmp(&other.0));
    items
}

async fn remove(ledger: &dyn Ledger, id: &str) -> Result<(), Failure> {
    check(ledger.remove(id).await?, "a run was not removed")?;
    check(!ledger.remove(id).await?, "a run was removed twice")?;
    check(ledger.run(id).await?.is_none(), "a removed run is there")
}

async fn is_fenced(ledger: &dyn Ledger, claim: &Claim) -> Result<(), Failure> {
    let checked = ledger.check(claim).await;
    check(
        checked.is_err_and(|error| error.is_fenced()),
        "a claim that is not in force passed for one that is",
    )?;
    let recorded = ledger.record(claim, item("m9", ItemOutcome::Stored)?).await;
    check(
        recorded.is_err_and(|error| error.is_fenced()),
        "a claim that is not in force could record",
    )?;
    let ended = ledger.end(claim, RunEnd::Complete, None).await;
    check(
        ended.is_err_and(|error| error.is_fenced()),
        "a claim that is not in force could end the run",
    )?;
    ledger.release(claim.clone());
    Ok(())
}

async fn lifecycle(fixture: &dyn Fixture) -> Result<(), Failure> {
    let ledger = &*fixture.ledger();
    let new = plan(&target(), &["m1", "m2"])?;
    let planned = new.run.clone();
    let (claim, run) = begin(ledger, new).await?;
    check(run.id == planned.id, "a new run has another id")?;
    check(run.items.is_empty(), "a new run has finished exports")?;
    let mut stored = item("m1", ItemOutcome::Stored)?;
    stored.machine_name = Some("\u{1F33A} '\"\\\u{0} mill".to_owned());
    ledger.record(&claim, stored.clone()).await?;
    let open = overview(ledger, claim.id()).await?;
    let open = open.ok_or("a run is not listed")?;
    check(open.is_claimed, "it is listed as free")?;
    check(open.run.end == RunEnd::Open, "it is listed as ended")?;
    let counts = (open.counts.stored, open.counts.not_started, open.open);
    check(counts == (1, 1, 1), "its exports are counted wrong")?;
    check(
        !ledger.remove(claim.id()).await?,
        "removed under its process",
    )?;
    ledger
        .record(&claim, item("m2", ItemOutcome::FailedAtTulip)?)
        .await?;
    let reason = Some("the plant burns".to_owned());
    ledger.end(&claim, RunEnd::Stopped, reason.clone()).await?;
    let found = ledger.run(claim.id()).await?.ok_or("it is gone")?;
    let expected = (planned.started, RunEnd::Stopped, reason);
    check(
        (found.started, found.end, found.reason.clone()) == expected,
        "how it ended was not kept",
    )?;
    check(
        found.items.contains(&stored),
        "an export was not kept whole",
    )?;
    let ended = overview(ledger, claim.id()).await?;
    let ended = ended.ok_or("an ended run is not listed")?;
    check(!ended.is_claimed, "an ended run is claimed")?;
    check(
        (ended.counts, ended.open) == (found.counts(), 0),
        "its exports are counted wrong at the end",
    )?;
    check(
        (ended.counts.bytes, ended.counts.records) == (100, 7),
        "its bytes are counted wrong",
    )?;
    remove(ledger, claim.id()).await
}

async fn continued(fixture: &dyn Fixture) -> Result<(), Failure> {
    let (ledger, other) = (&*fixture.ledger(), &*fixture.another_process().await);
    let target = target();
    let new = || plan(&target, &["m1", "m2", "m3", "m4"]);
    let (claim, first) = begin(ledger, latest(new()?)).await?;
    ledger
        .record(&claim, item("m1", ItemOutcome::Stored)?)
        .await?;
    ledger
        .record(&claim, item("m2", ItemOutcome::Unchanged)?)
        .await?;
    ledger
        .record(&claim, item("m3", ItemOutcome::FailedToStore)?)
        .await?;
    ledger.release(claim.clone());
    // Later calls of the same process see the release; other processes may not see it yet.
    let free = overview(ledger, &first.id).await?;
    check(
        free.is_some_and(|free| !free.is_claimed),
        "a released run is claimed",
    )?;
    // The machine m4 is gone, and m5 is new.
    let (claim, run) = begin(other, latest(plan(&target, &["m1", "m2", "m3", "m5"])?)).await?;
    check(run.id == first.id, "the run was not continued")?;
    check(run.started == first.started, "it begins anew")?;
    let left = shown(&run);
    let expected = [
        ("machine/m1", ItemOutcome::Stored, false),
        ("machine/m2", ItemOutcome::Unchanged, false),
        ("machine/m3", ItemOutcome::FailedToStore, false),
        ("machine/m4", ItemOutcome::NotStarted, true),
    ];
    let expected = expected.map(|(id, outcome, open)| (id.to_owned(), outcome, open));
    check(left == expected, &format!("it has left {left:?}"))?;
    let now = items(other, &run.id).await?;
    let expected = [
        ("machine/m1", ItemOutcome::Stored, false),
        ("machine/m2", ItemOutcome::Unchanged, false),
        ("machine/m3", ItemOutcome::FailedToStore, false),
        ("machine/m5", ItemOutcome::NotStarted, true),
    ];
    let expected = expected.map(|(id, outcome, open)| (id.to_owned(), outcome, open));
    check(now == expected, &format!("its exports are {now:?}"))?;
    other.end(&claim, RunEnd::Interrupted, None).await?;
    let (claim, run) = begin(ledger, latest(new()?)).await?;
    check(run.id == first.id, "an interrupted run was not continued")?;
    ledger.end(&claim, RunEnd::Complete, None).await?;
    remove(ledger, &first.id).await
}

async fn not_continued(fixture: &dyn Fixture) -> Result<(), Failure> {
    let ledger = &*fixture.ledger();
    let target = target();
    let mut made = Vec::new();
    let (claim, open) = begin(ledger, plan(&target, &["m1"])?).await?;
    ledger.release(claim);
    made.push(open.id.clone());
    let mut others = Vec::new();
    let mut another = latest(plan(&target, &["m1"])?);
    let later = open.started.as_system_time() + Duration::from_secs(1);
    another.continues = Continue::Latest(Timestamp::from(later));
    others.push(("a run that is too old", another));
    others.push((
        "a run that nothing was to continue",
        plan(&target, &["m1"])?,
    ));
    let mut another = latest(plan(&target, &["m1"])?);
    another.command = "export --machine m1".to_owned();
    others.push(("the run of another command", another));
    let mut another = latest(plan(&target, &["m1"])?);
    another.run.instance = "https://other.example".to_owned();
    others.push(("the run of another instance", another));
    let mut another = latest(plan(&target, &["m1"])?);
    another.run.target.push_str("/below");
    others.push(("the run to another target", another));
    for (what, new) in others {
        let (claim, run) = begin(ledger, new).await?;
        check(!made.contains(&run.id), &format!("{what} was continued"))?;
        ledger.end(&claim, RunEnd::Complete, None).await?;
        made.push(run.id);
    }
    // The latest run of this command is complete, whatever state earlier ones are in.
    let mut new = latest(plan(&target, &["m1"])?);
    let later = new.run.started.as_system_time() + Duration::from_secs(2);
    new.run.started = Timestamp::from(later);
    let mut complete = new.clone();
    complete.continues = Continue::Nothing;
    let (claim, run) = begin(ledger, complete).await?;
    ledger.end(&claim, RunEnd::Complete, None).await?;
    made.push(run.id);
    new.run.id.push_str("-again");
    let (claim, run) = begin(ledger, new).await?;
    check(!made.contains(&run.id), "a complete run was continued")?;
    ledger.end(&claim, RunEnd::Complete, None).await?;
    made.push(run.id);
    for id in made {
        remove(ledger, &id).await?;
    }
    Ok(())
}

async fn by_id(fixture: &dyn Fixture) -> Result<(), Failure> {
    let ledger = &*fixture.ledger();
    let target = target();
    let (claim, first) = begin(ledger, plan(&target, &["m1", "m2"])?).await?;
    ledger
        .record(&claim, item("m1", ItemOutcome::Stored)?)
        .await?;
    ledger
        .record(&claim, item("m2", ItemOutcome::FailedAtTulip)?)
        .await?;
    ledger.end(&claim, RunEnd::Complete, None).await?;
    let again = |id: &str| {
        let mut new = plan(&target, &["m2"])?;
        new.continues = Continue::Run(id.to_owned());
        Ok::<_, Failure>(new)
    };
    let (claim, run) = begin(ledger, again(&first.id)?).await?;
    check(run.id == first.id, "another run was continued")?;
    check(run.items.len() == 2, "what it has left is not told")?;
    ledger
        .record(&claim, item("m2", ItemOutcome::Stored)?)
        .await?;
    ledger.end(&claim, RunEnd::Complete, None).await?;
    let all = items(ledger, &first.id).await?;
    let is_stored = |(_, outcome, open): &(String, ItemOutcome, bool)| {
        (*outcome, *open) == (ItemOutcome::Stored, false)
    };
    check(
        all.len() == 2 && all.iter().all(is_stored),
        "its exports were not kept",
    )?;
    remove(ledger, &first.id).await?;
    let missing = ledger.begin(again(&first.id)?).await?;
    check(
        missing == BeginOutcome::Missing,
        "a removed run was continued",
    )
}

async fn exclusion(fixture: &dyn Fixture) -> Result<(), Failure> {
    let (ledger, other) = (&*fixture.ledger(), &*fixture.another_process().await);
    let target = target();
    let (claim, run) = begin(ledger, plan(&target, &["m1", "m2"])?).await?;
    for (ledger, what) in [(ledger, "the same process"), (other, "another process")] {
        let same = latest(plan(&target, &["m1", "m2"])?);
        check(
            is_busy(ledger, same, &run.id).await?,
            &format!("the same run was free for {what}"),
        )?;
        let one = plan(&target, &["m3", "m2"])?;
        check(
            is_busy(ledger, one, &run.id).await?,
            &format!("an export of the run was free for {what}"),
        )?;
    }
    let apart = plan(&target, &["m3"])?;
    let (apart, _) = begin(other, apart).await?;
    let elsewhere = plan(&format!("{target}/below"), &["m1", "m2"])?;
    let (elsewhere, _) = begin(other, elsewhere).await?;
    for claim in [&apart, &elsewhere] {
        other.end(claim, RunEnd::Complete, None).await?;
        remove(other, claim.id()).await?;
    }
    ledger.end(&claim, RunEnd::Complete, None).await?;
    let (next, _) = begin(other, plan(&target, &["m1"])?).await?;
    other.end(&next, RunEnd::Complete, None).await?;
    remove(other, next.id()).await?;
    remove(other, &run.id).await
}

async fn dropped_begin(fixture: &dyn Fixture) -> Result<(), Failure> {
    let ledger = &*fixture.ledger();
    let target = target();
    for _ in 0..5 {
        let begun = ledger.begin(plan(&target, &["m1"])?).now_or_never();
        // Polled once, then dropped. A claim that is made at once is the caller's to release.
        if let Some(begun) = begun
            && let BeginOutcome::Claimed { claim, .. } = begun?
        {
            ledger.release(claim);
        }
    }
    for _ in 0..MANY_TRIES {
        let begun = ledger.begin(plan(&target, &["m1"])?).await?;
        if let BeginOutcome::Claimed { claim, .. } = begun {
            ledger.release(claim);
            for left in ledger.runs().await? {
                if left.run.target == target {
                    remove(ledger, &left.run.id).await?;
                }
            }
            return Ok(());
        }
    }
    Err("nobody can claim the export any more".into())
}

async fn race(fixture: &dyn Fixture) -> Result<(), Failure> {
    let (ledger, other) = (&*fixture.ledger(), &*fixture.another_process().await);
    let target = target();
    let (one, two) = (plan(&target, &["m1"])?, plan(&target, &["m1"])?);
    let (one, two) = tokio::join!(ledger.begin(one), other.begin(two));
    let (one, two) = (one?, two?);
    let won = |begun: &BeginOutcome| matches!(begun, BeginOutcome::Claimed { .. });
    let lost = |begun: &BeginOutcome| matches!(begun, BeginOutcome::Busy { .. });
    check(
        won(&one) && lost(&two) || lost(&one) && won(&two),
        &format!("they gave {one:?} and {two:?}"),
    )?;
    for (ledger, begun) in [(ledger, one), (other, two)] {
        if let BeginOutcome::Claimed { claim, .. } = begun {
            ledger.end(&claim, RunEnd::Complete, None).await?;
            remove(ledger, claim.id()).await?;
        }
    }
    Ok(())
}

async fn ended(fixture: &dyn Fixture) -> Result<(), Failure> {
    let ledger = &*fixture.ledger();
    let target = target();
    let new = || plan(&target, &["m1"]);
    let (first, run) = begin(ledger, new()?).await?;
    ledger.release(first.clone());
    is_fenced(ledger, &first).await?;
    let (second, again) = begin(ledger, latest(new()?)).await?;
    check(again.id == run.id, "a run that was left was not continued")?;
    check(second.attempt() > first.attempt(), "attempts do not rise")?;
    is_fenced(ledger, &first).await?;
    check(
        is_busy(ledger, latest(new()?), &run.id).await?,
        "an old claim has released the run",
    )?;
    ledger.end(&second, RunEnd::Complete, None).await?;
    is_fenced(ledger, &second).await?;
    let kept = items(ledger, &run.id).await?;
    check(kept.len() == 1, "an old claim has recorded an export")?;
    remove(ledger, &run.id).await
}

async fn fencing(fixture: &dyn Fixture) -> Result<(), Failure> {
    let (ledger, other) = (&*fixture.ledger(), &*fixture.another_process().await);
    let target = target();
    let new = || Ok::<_, Failure>(latest(plan(&target, &["m1"])?));
    let (claim, run) = begin(ledger, new()?).await?;
    check(
        is_busy(other, new()?, &run.id).await?,
        "free while its process lives",
    )?;
    fixture.presume_dead().await;
    let (taken, again) = begin(other, new()?).await?;
    check(
        again.id == run.id,
        "the run of a dead process was not continued",
    )?;
    check(taken.attempt() > claim.attempt(), "attempts do not rise")?;
    is_fenced(ledger, &claim).await?;
    other
        .record(&taken, item("m1", ItemOutcome::Stored)?)
        .await?;
    is_fenced(ledger, &claim).await?;
    other.end(&taken, RunEnd::Complete, None).await?;
    remove(other, &run.id).await
}
