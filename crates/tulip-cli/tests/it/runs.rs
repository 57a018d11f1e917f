//! The state that is kept between runs, and its repair.

use crate::support::{Bench, elsewhere, files};

#[test]
fn a_damaged_state_says_how_to_repair_it_and_is_kept() {
    let bench = Bench::start();
    let machine = bench.machine();
    let export = ["export", "--machine", machine.as_str(), "--to", "out"];
    let database = bench.state.path().join("tulip.db");
    std::fs::write(&database, "not a database".repeat(100)).unwrap();
    let ran = bench.run(&export);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("is damaged"), "{ran:?}");
    assert!(
        ran.stderr.contains("hint: run `tulip runs repair`"),
        "{ran:?}"
    );
    let ran = bench.run(&["runs", "repair"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout
            .starts_with("kept 0 unfinished exports and 0 runs; "),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("could not be read"), "{ran:?}");
    assert_eq!(bench.run(&export).code, Some(0));
    let left = files(bench.state.path());
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[1].contains("tulip.db.damaged-"), "{left:?}");
}

#[test]
fn a_repair_keeps_what_can_be_resumed() {
    let bench = Bench::start();
    bench
        .emulator
        .fail_next(tulip_emulator::Endpoint::Asset, 1, elsewhere());
    let machine = bench.machine();
    let export = ["export", "--machine", machine.as_str(), "--to", "out"];
    assert_eq!(bench.run(&export).code, Some(1));
    let ran = bench.run(&["runs", "repair", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let repaired = ran.json().remove(0);
    assert_eq!(repaired["exports"], 1, "{repaired}");
    assert_eq!(repaired["incomplete"], false, "{repaired}");
    assert_eq!(bench.run(&["resume"]).code, Some(0));
    assert_eq!(bench.emulator.requests().starts(&machine), 1);
}

#[test]
fn where_there_is_no_state_nothing_is_repaired_and_nothing_made() {
    let bench = Bench::start();
    let ran = bench.run(&["runs", "repair", "--state", "nowhere"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr.contains("there is no database in nowhere"),
        "{ran:?}"
    );
    assert!(!bench.folder.path().join("nowhere").exists());
}
