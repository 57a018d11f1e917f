//! The fault matrix: faults of Tulip, of the host of an archive and of a sink, crossed with the
//! sinks and with how archives are served. Whatever the fault, the previous object stays unchanged,
//! or the whole archive replaces it.
//!
//! `TULIP_MATRIX_SEED` draws other bytes, lengths and counts; `TULIP_MATRIX_ONLY` runs only the
//! cells whose names contain its text. The table is printed with `--nocapture`, and written to
//! `fault-matrix.txt` in `CARGO_TARGET_TMPDIR`.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod archive;
mod cell;
mod check;
mod column;
mod faults;
mod plan;
mod storage;
mod table;
mod weak;

use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cell::Cell;
use crate::check::CaseResult;
use crate::table::Table;

/// Cells that run at once.
const AT_ONCE: usize = 16;
const SEED: u64 = 7;
/// Cells whose times are printed.
const SLOWEST: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_the_fault_matrix_keeps_what_is_promised() {
    let seed = variable("TULIP_MATRIX_SEED").map_or(SEED, |text| text.parse().unwrap());
    let only = variable("TULIP_MATRIX_ONLY").unwrap_or_default();
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (number, cell) in cells(seed) {
        if !cell.name().contains(&only) {
            continue;
        }
        let slots = slots.clone();
        running.spawn(async move {
            let _slot = slots.acquire_owned().await.unwrap();
            let own = cell.clone();
            // A separate task, so that a panic is reported with the cell's name.
            let case = tokio::spawn(async move { own.run().await }).await;
            let case = case.unwrap_or_else(|error| CaseResult::failed(error.to_string()));
            (number, cell, case)
        });
    }
    let mut table = Table::default();
    let mut failed = Vec::new();
    let mut times = Vec::new();
    while let Some(ran) = running.join_next().await {
        let (number, cell, case) = ran.unwrap();
        table.add(number, &cell, &case);
        times.push((case.took, case.chunks, cell.name()));
        if !case.wrong.is_empty() {
            failed.push(told(&cell, &case));
        }
    }
    let text = table.text();
    std::fs::write(
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("fault-matrix.txt"),
        &text,
    )
    .unwrap();
    println!("{text}");
    times.sort();
    for (took, chunks, name) in times.iter().rev().take(SLOWEST) {
        println!("{:7.1} s, {chunks:5} chunks  {name}", took.as_secs_f64());
    }
    assert!(table.tried() > 0, "no cell has {only:?} in its name");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// All cells with the numbers of their rows, shuffled, so that cells that wait run beside cells
/// that do not.
fn cells(seed: u64) -> Vec<(usize, Cell)> {
    let rows = faults::all().into_iter();
    let rows = rows.flat_map(|(heading, rows)| rows.into_iter().map(move |row| (heading, row)));
    let mut cells = Vec::new();
    for (number, (heading, row)) in rows.enumerate() {
        let row = Arc::new(row);
        cells.extend(row.columns.iter().map(|column| {
            let cell = Cell {
                heading,
                row: row.clone(),
                column: *column,
                seed,
            };
            (number, cell)
        }));
    }
    Rng::with_seed(seed).shuffle(&mut cells);
    cells
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What is wrong with a cell, and how to run it again.
fn told(cell: &Cell, case: &CaseResult) -> String {
    let (name, seed) = (cell.name(), cell.seed);
    let wrong = case.wrong.join("\n    ");
    format!(
        "{name} (seed {seed})\n    {wrong}\n    again: TULIP_MATRIX_SEED={seed} \
         TULIP_MATRIX_ONLY='{name}' cargo test -p tulip-archive --test matrix -- --nocapture"
    )
}
