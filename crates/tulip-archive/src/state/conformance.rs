//! A test suite for the contract of [`StateStore`].
//!
//! To test a store, implement [`Fixture`] and run the suite in a test:
//!
//! ```
//! use tulip_archive::MemoryStateStore;
//! use tulip_archive::state::conformance::{self, Fixture};
//! use tulip_archive::core::sink::async_trait;
//! # use std::sync::Arc;
//! # use tulip_archive::StateStore;
//!
//! struct InMemory(MemoryStateStore);
//!
//! #[async_trait]
//! impl Fixture for InMemory {
//!     fn store(&self) -> Arc<dyn StateStore> { Arc::new(self.0.clone()) }
//!     async fn another_process(&self) -> Arc<dyn StateStore> {
//!         Arc::new(self.0.another_process())
//!     }
//!     async fn presume_dead(&self) { drop(self.0.restarted()); }
//! }
//!
//! # async fn test() {
//! conformance::run(&InMemory(MemoryStateStore::new())).await.assert_passed();
//! # }
//! ```
//!
//! The store need not be empty: each run uses its own record ids, and removes its records.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;

use futures_util::FutureExt as _;
use tulip_core::conformance::{CaseResult, Failure, Report};
use tulip_core::sink::async_trait;

use super::store::{Claim, ClaimOutcome, StateStore};

/// How often a claim is tried that another call is about to release.
const MANY_TRIES: usize = 10_000;

/// A store, and its view from other processes.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Returns the store, always as the same process.
    fn store(&self) -> Arc<dyn StateStore>;

    /// Returns the same store as seen by another process that runs at the same time.
    async fn another_process(&self) -> Arc<dyn StateStore>;

    /// Makes all other processes take that of [`Fixture::store`] for dead, although it is alive.
    /// Called once, in the last case of the suite.
    async fn presume_dead(&self);
}

/// Checks a store. A failed case does not stop the others.
pub async fn run(fixture: &dyn Fixture) -> Report {
    // The hasher's random keys keep the ids of runs that share a store apart.
    let run = RandomState::new().build_hasher().finish();
    let mut report = Report::default();
    let mut number = 0_u64;
    let mut id = || {
        number += 1;
        format!("{run:016x}{number:016x}")
    };
    let mut add = |name, result: Result<(), Failure>| {
        report.add(name, result.map(|()| CaseResult::Passed));
    };
    add(
        "a record is claimed, saved, found again and removed",
        lifecycle(fixture, id()).await,
    );
    add(
        "a record that is claimed is busy for everybody",
        exclusion(fixture, id()).await,
    );
    add(
        "a claim that has ended changes nothing",
        ended(fixture, id()).await,
    );
    add(
        "calls take effect in their order, also those that are dropped",
        order(fixture, id()).await,
    );
    add(
        "a claim whose future is dropped is released",
        dropped_claim(fixture, id()).await,
    );
    add("claims at once have one winner", race(fixture, id()).await);
    add(
        "a process that was taken for dead is fenced",
        fencing(fixture, [id(), id()]).await,
    );
    report
}

fn check(holds: bool, what: &str) -> Result<(), Failure> {
    match holds {
        true => Ok(()),
        false => Err(what.into()),
    }
}

async fn create(store: &dyn StateStore, id: &str, record: &str) -> Result<Claim, Failure> {
    match store.claim(id, Some(record.to_owned())).await? {
        ClaimOutcome::Created(claim) if claim.id() == id => Ok(claim),
        other => Err(format!("a new record gave {other:?}").into()),
    }
}

async fn find(store: &dyn StateStore, id: &str, expected: &str) -> Result<Claim, Failure> {
    match store.claim(id, Some("{\"new\": true}".to_owned())).await? {
        ClaimOutcome::Found { claim, record } if claim.id() == id && record == expected => {
            Ok(claim)
        }
        other => Err(format!("the record {expected} gave {other:?}").into()),
    }
}

async fn is_busy(store: &dyn StateStore, id: &str) -> Result<bool, Failure> {
    let claimed = store.claim(id, None).await?;
    Ok(matches!(claimed, ClaimOutcome::Busy(_)))
}

async fn is_missing(store: &dyn StateStore, id: &str) -> Result<bool, Failure> {
    Ok(store.claim(id, None).await? == ClaimOutcome::Missing)
}

/// Returns the listed record, and whether it is listed as claimed.
async fn listed(store: &dyn StateStore, id: &str) -> Result<Option<(String, bool)>, Failure> {
    let mut records = store.list().await?.into_iter();
    let found = records.find(|listed| listed.id == id);
    Ok(found.map(|listed| (listed.record, listed.is_claimed)))
}

async fn is_fenced(store: &dyn StateStore, claim: &Claim) -> Result<(), Failure> {
    let checked = store.check(claim).await;
    check(
        checked.is_err_and(|error| error.is_fenced()),
        "a claim that is not in force was said to be",
    )?;
    let saved = store.save(claim, "{\"stale\": 1}".to_owned(), true).await;
    check(
        saved.is_err_and(|error| error.is_fenced()),
        "a claim that is not in force could save",
    )?;
    let removed = store.remove(claim).await;
    check(
        removed.is_err_and(|error| error.is_fenced()),
        "a claim that is not in force could remove",
    )?;
    store.release(claim.clone());
    Ok(())
}

async fn lifecycle(fixture: &dyn Fixture, id: String) -> Result<(), Failure> {
    let store = &*fixture.store();
    check(is_missing(store, &id).await?, "a record is there before")?;
    let claim = create(store, &id, "{\"a\": 1}").await?;
    let text = "{\"text\": \"\\u0000 \u{1F33A} '\\\"\"}";
    store.save(&claim, text.to_owned(), false).await?;
    store.save(&claim, text.to_owned(), true).await?;
    store.check(&claim).await?;
    let there = listed(store, &id).await?;
    check(there == Some((text.to_owned(), true)), "it is not listed")?;
    store.release(claim.clone());
    let there = listed(store, &id).await?;
    check(there == Some((text.to_owned(), false)), "it is not free")?;
    let again = find(store, &id, text).await?;
    check(again.attempt() > claim.attempt(), "attempts do not rise")?;
    store.remove(&again).await?;
    check(is_missing(store, &id).await?, "it was not removed")?;
    check(listed(store, &id).await?.is_none(), "it is still listed")
}

async fn exclusion(fixture: &dyn Fixture, id: String) -> Result<(), Failure> {
    let (store, other) = (&*fixture.store(), &*fixture.another_process().await);
    let claim = create(store, &id, "{}").await?;
    check(is_busy(store, &id).await?, "free for the same process")?;
    check(is_busy(other, &id).await?, "free for another process")?;
    let there = listed(other, &id).await?;
    check(there == Some(("{}".to_owned(), true)), "listed as free")?;
    store.release(claim);
    let again = find(store, &id, "{}").await?;
    check(is_busy(other, &id).await?, "two have claimed it")?;
    store.remove(&again).await?;
    Ok(())
}

async fn ended(fixture: &dyn Fixture, id: String) -> Result<(), Failure> {
    let store = &*fixture.store();
    let first = create(store, &id, "{\"first\": 1}").await?;
    store.release(first.clone());
    is_fenced(store, &first).await?;
    let second = find(store, &id, "{\"first\": 1}").await?;
    is_fenced(store, &first).await?;
    check(is_busy(store, &id).await?, "an old claim has released it")?;
    store.remove(&second).await?;
    is_fenced(store, &second).await?;
    // Nor does an old claim affect a new record with the same id.
    let third = create(store, &id, "{\"third\": 1}").await?;
    check(third.attempt() > second.attempt(), "attempts begin anew")?;
    is_fenced(store, &first).await?;
    is_fenced(store, &second).await?;
    store.remove(&third).await?;
    Ok(())
}

async fn order(fixture: &dyn Fixture, id: String) -> Result<(), Failure> {
    let store = &*fixture.store();
    let claim = create(store, &id, "{}").await?;
    for turn in 0..20 {
        let saving = store.save(&claim, format!("{{\"turn\": {turn}}}"), false);
        drop(saving.now_or_never());
    }
    store.release(claim);
    let claim = find(store, &id, "{\"turn\": 19}").await?;
    store.remove(&claim).await?;
    Ok(())
}

async fn dropped_claim(fixture: &dyn Fixture, id: String) -> Result<(), Failure> {
    let store = &*fixture.store();
    let release = |outcome| match outcome {
        ClaimOutcome::Found { claim, .. } | ClaimOutcome::Created(claim) => store.release(claim),
        _ => {}
    };
    for _ in 0..20 {
        let claiming = store.claim(&id, Some("{}".to_owned()));
        // Polled once, then dropped. A claim that is made at once is the caller's to release.
        if let Some(outcome) = claiming.now_or_never() {
            release(outcome?);
        }
    }
    for _ in 0..MANY_TRIES {
        if let ClaimOutcome::Found { claim, .. } = store.claim(&id, None).await? {
            return Ok(store.remove(&claim).await?);
        }
    }
    Err("nobody can claim it any more".into())
}

async fn race(fixture: &dyn Fixture, id: String) -> Result<(), Failure> {
    let (store, other) = (&*fixture.store(), &*fixture.another_process().await);
    let new = || Some("{}".to_owned());
    let (one, two) = tokio::join!(store.claim(&id, new()), other.claim(&id, new()));
    let won = |outcome: &ClaimOutcome| matches!(outcome, ClaimOutcome::Created(_));
    let lost = |outcome: &ClaimOutcome| matches!(outcome, ClaimOutcome::Busy(_));
    let (one, two) = (one?, two?);
    check(
        won(&one) && lost(&two) || lost(&one) && won(&two),
        &format!("they gave {one:?} and {two:?}"),
    )?;
    for (store, outcome) in [(store, one), (other, two)] {
        if let ClaimOutcome::Created(claim) = outcome {
            store.remove(&claim).await?;
        }
    }
    Ok(())
}

async fn fencing(fixture: &dyn Fixture, ids: [String; 2]) -> Result<(), Failure> {
    let (store, other) = (&*fixture.store(), &*fixture.another_process().await);
    let [id, gone] = &ids;
    let claim = create(store, id, "{\"old\": 1}").await?;
    let gone_claim = create(store, gone, "{\"old\": 2}").await?;
    check(is_busy(other, id).await?, "free while its process lives")?;
    fixture.presume_dead().await;
    let taken = find(other, id, "{\"old\": 1}").await?;
    check(taken.attempt() > claim.attempt(), "attempts do not rise")?;
    is_fenced(store, &claim).await?;
    other.save(&taken, "{\"new\": 1}".to_owned(), true).await?;
    is_fenced(store, &claim).await?;
    let there = listed(other, id).await?;
    check(
        there == Some(("{\"new\": 1}".to_owned(), true)),
        "the process that was fenced has changed the record",
    )?;
    // A record that the other process has removed does not come back.
    let taken_too = find(other, gone, "{\"old\": 2}").await?;
    other.remove(&taken_too).await?;
    is_fenced(store, &gone_claim).await?;
    check(is_missing(other, gone).await?, "a removed record is back")?;
    other.remove(&taken).await?;
    Ok(())
}
