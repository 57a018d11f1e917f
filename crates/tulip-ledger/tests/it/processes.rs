//! Several processes, and the leftovers of dead ones.

use tulip_archive::StateStore as _;
use tulip_archive::state::ClaimOutcome;

use crate::support::{Bench, create, id, records};

#[tokio::test]
async fn a_busy_record_tells_whose_it_is() {
    let bench = Bench::new();
    let (ledger, other) = (bench.open(), bench.open());
    create(&ledger, 1, "{}").await;
    let outcome = other.claim(&id(1), None).await.unwrap();
    let ClaimOutcome::Busy(Some(holder)) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(holder.pid, std::process::id());
    assert!(!holder.host.is_empty());
    assert!(holder.to_string().contains("since 2"), "{holder}");
}

/// A killed process leaves its claims in the database, but nobody holds its lock.
#[tokio::test]
async fn what_a_dead_process_has_claimed_is_free() {
    let bench = Bench::new();
    let ledger = bench.open();
    create(&ledger, 1, "{}").await;
    let lock = bench.path().join(bench.locks().remove(0));
    let copy = Bench::new();
    // Copies of the files are not locked.
    for name in bench.files() {
        std::fs::copy(bench.path().join(&name), copy.path().join(&name)).unwrap();
    }
    assert!(records(&bench.open()).await[0].2);
    let next = copy.open();
    assert!(!records(&next).await[0].2);
    assert!(!copy.path().join(lock.file_name().unwrap()).exists());
    assert_eq!(copy.locks().len(), 1);
    let outcome = next.claim(&id(1), None).await.unwrap();
    assert!(matches!(outcome, ClaimOutcome::Found { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_process_that_dies_later_is_noticed_by_those_that_run() {
    let bench = Bench::new();
    let (ledger, other) = (bench.open(), bench.open());
    create(&ledger, 1, "{}").await;
    let claimed = other.claim(&id(1), None).await.unwrap();
    assert!(matches!(claimed, ClaimOutcome::Busy(_)), "{claimed:?}");
    drop(ledger);
    let claimed = other.claim(&id(1), None).await.unwrap();
    assert!(matches!(claimed, ClaimOutcome::Found { .. }), "{claimed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_exports_of_two_processes_write_at_once_and_lose_nothing() {
    let bench = Bench::new();
    let ledgers = [bench.open(), bench.open()];
    let mut writing = tokio::task::JoinSet::new();
    for number in 0..200_u64 {
        let ledger = ledgers[usize::from(number % 2 == 1)].clone();
        writing.spawn(async move {
            let claim = create(&ledger, number, "{}").await;
            for turn in 0..5 {
                let record = format!("{{\"turn\": {turn}}}");
                ledger.save(&claim, record, turn == 3).await.unwrap();
            }
            match number % 3 {
                0 => ledger.remove(&claim).await.unwrap(),
                _ => ledger.release(claim),
            }
        });
    }
    while let Some(done) = writing.join_next().await {
        done.unwrap();
    }
    drop(ledgers);
    let left = records(&bench.open()).await;
    let expected: Vec<_> = (0..200)
        .filter(|number| number % 3 != 0)
        .map(|number| (id(number), "{\"turn\": 4}".to_owned(), false))
        .collect();
    assert_eq!(left, expected);
}

#[test]
fn what_a_process_that_was_killed_while_it_checked_for_locks_has_left_is_removed() {
    let bench = Bench::new();
    drop(bench.open());
    std::fs::write(bench.path().join(".locks"), "").unwrap();
    drop(bench.open());
    assert_eq!(bench.files(), ["tulip.db"]);
}
