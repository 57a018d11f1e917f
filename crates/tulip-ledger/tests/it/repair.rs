//! Damaged databases, and the records that a repair keeps.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use tulip_archive::{StateErrorKind, StateStore as _};
use tulip_fleet::ledger::{BeginOutcome, Continue, Ledger as _, NewRun};
use tulip_fleet::{ItemOutcome, ItemSummary, RunEnd, RunSummary};
use tulip_ledger::SqliteLedger;

use crate::support::{Bench, create, id, records};

/// A closed database with this many records.
async fn filled(count: u64) -> Bench {
    let bench = Bench::new();
    let ledger = bench.open();
    for number in 0..count {
        let record = format!(
            "{{\"number\": {number}, \"text\": \"{}\"}}",
            "x".repeat(700)
        );
        create(&ledger, number, &record).await;
    }
    bench
}

#[tokio::test]
async fn a_sound_database_is_repaired_without_a_loss() {
    let bench = filled(20).await;
    let before = records(&bench.open()).await;
    let repaired = SqliteLedger::repair(bench.path()).unwrap();
    assert_eq!((repaired.exports, repaired.is_incomplete), (20, false));
    assert!(repaired.damage.is_empty(), "{repaired:?}");
    assert!(repaired.moved_to.exists());
    let ledger = bench.open();
    assert_eq!(records(&ledger).await, before);
    // The attempts continue to count up.
    let claim = create(&ledger, 99, "{}").await;
    assert!(claim.attempt() > 20, "{claim:?}");
}

#[tokio::test]
async fn runs_and_their_exports_are_kept_and_can_be_continued() {
    let bench = filled(1).await;
    let mut item = ItemSummary::new(ItemOutcome::Stored);
    item.machine = Some("m1".parse().unwrap());
    let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
    run.items = vec![item];
    let new = NewRun::new(run.clone(), "export --all");
    let begun = bench.open().begin(new.clone()).await.unwrap();
    let BeginOutcome::Claimed { claim, .. } = begun else {
        panic!("{begun:?}");
    };
    let repaired = SqliteLedger::repair(bench.path()).unwrap();
    assert_eq!((repaired.runs, repaired.is_incomplete), (1, false));
    let ledger = bench.open();
    let new = new.continuing(Continue::Latest(run.started));
    let begun = ledger.begin(new).await.unwrap();
    let BeginOutcome::Claimed {
        claim: next,
        run: kept,
    } = begun
    else {
        panic!("{begun:?}");
    };
    assert!(next.attempt() > claim.attempt());
    assert_eq!((&kept.id, &kept.items), (&run.id, &run.items));
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_and_keeps_its_records() {
    let bench = filled(3).await;
    let before = records(&bench.open()).await;
    let old = rusqlite::Connection::open(bench.database()).unwrap();
    old.execute_batch("DROP TABLE run; DROP TABLE item; PRAGMA user_version = 1")
        .unwrap();
    drop(old);
    let repaired = SqliteLedger::repair(bench.path()).unwrap();
    let counts = (repaired.exports, repaired.runs, repaired.is_incomplete);
    assert_eq!(counts, (3, 0, false), "{repaired:?}");
    let old = rusqlite::Connection::open(bench.database()).unwrap();
    old.execute_batch("DROP TABLE run; DROP TABLE item; PRAGMA user_version = 1")
        .unwrap();
    drop(old);
    let ledger = bench.open();
    assert_eq!(records(&ledger).await, before);
    assert_eq!(
        tulip_fleet::ledger::Ledger::runs(&ledger).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn records_on_sound_pages_are_kept_and_the_loss_is_told() {
    let bench = filled(200).await;
    let size = std::fs::metadata(bench.database()).unwrap().len();
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(bench.database())
        .unwrap();
    // A page in the middle of the table.
    let page = size / 4096 / 2 * 4096;
    file.seek(SeekFrom::Start(page)).unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
    drop(file);
    let ledger = bench.open();
    let error = ledger.list().await.unwrap_err();
    assert_eq!(error.kind(), StateErrorKind::Damaged, "{error:?}");
    drop(ledger);

    let repaired = SqliteLedger::repair(bench.path()).unwrap();
    assert!(repaired.is_incomplete && !repaired.damage.is_empty());
    let kept = records(&bench.open()).await;
    assert_eq!(kept.len(), repaired.exports);
    assert!((100..200).contains(&kept.len()), "{}", kept.len());
    // Records from both ends are kept.
    assert_eq!(kept[0].0, id(0));
    assert_eq!(kept.last().unwrap().0, id(199));
    let mut moved = [0; 6];
    let mut old = std::fs::File::open(&repaired.moved_to).unwrap();
    old.read_exact(&mut moved).unwrap();
    assert_eq!(&moved, b"SQLite");
}

/// A database with a complete run of many exports, and the number of a page in it.
async fn with_run(exports: usize, page: &str) -> (Bench, u64) {
    let bench = filled(1).await;
    let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
    let item = |number| {
        let mut item = ItemSummary::new(ItemOutcome::Stored);
        item.machine = Some(format!("machine{number}").parse().unwrap());
        item
    };
    run.items = (0..exports).map(item).collect();
    let ledger = bench.open();
    let begun = ledger.begin(NewRun::new(run, "export --all")).await;
    let BeginOutcome::Claimed { claim, .. } = begun.unwrap() else {
        panic!("the ledger is empty");
    };
    ledger.end(&claim, RunEnd::Complete, None).await.unwrap();
    drop(ledger);
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    let page: u32 = database.query_row(page, [], |row| row.get(0)).unwrap();
    (bench, u64::from(page))
}

fn spoil(bench: &Bench, page: u64) {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .open(bench.database())
        .unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
}

#[tokio::test]
async fn a_damaged_index_costs_no_export() {
    let root = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_item_1'";
    let (bench, page) = with_run(200, root).await;
    assert_eq!(bench.open().damage().await.unwrap(), [""; 0]);
    spoil(&bench, page);
    assert!(!bench.open().damage().await.unwrap().is_empty());
    let repaired = SqliteLedger::repair(bench.path()).unwrap();
    assert!(!repaired.damage.is_empty(), "{repaired:?}");
    let runs = bench.open().runs().await.unwrap();
    assert_eq!(runs[0].counts.stored, 200);
    assert_eq!(runs[0].run.end, RunEnd::Complete);
}

/// Otherwise nothing would export again what the database has lost.
#[tokio::test]
async fn no_run_that_may_have_lost_exports_is_complete() {
    let leaf = "SELECT pageno FROM dbstat WHERE name = 'item' AND pagetype = 'leaf'
        ORDER BY path LIMIT 1 OFFSET 1";
    let (bench, page) = with_run(200, leaf).await;
    spoil(&bench, page);
    let repaired = SqliteLedger::repair(bench.path()).unwrap();
    assert!(repaired.is_incomplete, "{repaired:?}");
    let runs = bench.open().runs().await.unwrap();
    let run = &runs[0];
    assert!((1..200).contains(&run.counts.stored), "{run:?}");
    assert_eq!(run.run.end, RunEnd::Stopped);
    assert!(run.run.reason.as_ref().unwrap().contains("lost"), "{run:?}");
}

#[tokio::test]
async fn what_is_no_database_makes_room_for_one() {
    let bench = Bench::new();
    std::fs::write(bench.database(), "not a database".repeat(100)).unwrap();
    let repaired = SqliteLedger::repair(bench.path()).unwrap();
    assert_eq!((repaired.exports, repaired.is_incomplete), (0, true));
    let claim = create(&bench.open(), 1, "{}").await;
    // Above any attempt that may have been given out before.
    assert!(claim.attempt() > 1 << 31, "{claim:?}");
}

#[tokio::test]
async fn a_ledger_that_is_used_is_not_repaired() {
    let bench = filled(1).await;
    let ledger = bench.open();
    let error = SqliteLedger::repair(bench.path()).unwrap_err();
    assert_eq!(error.kind(), StateErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert_eq!(records(&ledger).await.len(), 1);
}
