//! A run over a plant of thousands of machines, with the emulator in a separate process. Takes
//! minutes, so it runs only on request:
//!
//! ```sh
//! cargo test -p tulip-fleet --test scale -- --ignored --nocapture night
//! cargo test -p tulip-fleet --test scale -- --ignored --nocapture growth
//! ```
//!
//! `TULIP_SCALE_MACHINES`, `TULIP_SCALE_BIG` and `TULIP_SCALE_BIG_ROWS` set how many small and
//! large machines there are, and how many records a large one has. The archives are not kept: a
//! disk would have to hold them all.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]
#![expect(clippy::print_stdout, reason = "what is measured is printed")]

mod discard;
mod night;
mod plant;

use std::time::Duration;

use night::{Measured, RunOf};
use plant::{MAX_PENDING, Plant, START_RATE, Shape};

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The run, in its own process. Does nothing unless [`RunOf`] has started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is the other process of the tests below"]
async fn run() {
    if let Some(run) = RunOf::from_env() {
        println!("{}", run.measure().await.to_line());
    }
}

fn shown(what: &str, measured: &Measured, requests: f64) {
    let Measured {
        seconds,
        peak_mib,
        stored,
        p50_ms,
        p99_ms,
        ..
    } = measured;
    println!(
        "{what}: {stored} stored in {seconds:.1} s, {:.0}/s, peak {peak_mib:.0} MiB, \
         {requests:.2} API requests a machine, complete to stored p50 {p50_ms} ms, p99 {p99_ms} ms",
        *stored as f64 / seconds
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn night() {
    let shape = Shape {
        small: setting("TULIP_SCALE_MACHINES", 5000),
        big: 0,
        big_rows: setting("TULIP_SCALE_BIG_ROWS", 27_000_000) as u64,
        small_rows: 12_500,
        longest_pending: Duration::from_secs(3),
        with_faults: true,
    };
    let big = setting("TULIP_SCALE_BIG", 20);
    let mut p99 = Vec::new();
    for big in [0, big] {
        let plant = Plant::start(Shape { big, ..shape }).await;
        let (measured, seen) = plant
            .watch(RunOf::of(&plant, MAX_PENDING, START_RATE))
            .await;
        let machines = plant.machines() as f64;
        shown(
            &format!("{big} large machines"),
            &measured,
            seen.requests as f64 / machines,
        );
        println!(
            "  {} starts, {} of them retries; at most {} pending of {MAX_PENDING}, {} starts in \
             a minute of {START_RATE}",
            seen.starts, measured.retries, seen.most_pending, seen.most_starts
        );
        // Which machines, not how: the last attempt of a failing job may have met only a 429.
        let expected = plant.expected_failures();
        assert!(
            measured.failed.keys().eq(expected.keys()),
            "{:?}",
            measured.failed
        );
        assert_eq!(
            measured.stored,
            plant.machines() - plant.expected_failures().len()
        );
        assert!(seen.starts <= plant.machines() + measured.retries);
        assert!(seen.most_pending <= MAX_PENDING);
        assert!(seen.most_starts <= START_RATE);
        assert!(measured.peak_mib < 150.0);
        p99.push(measured.p99_ms);
    }
    println!("p99 of small machines without and with large ones: {p99:?} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn growth() {
    for small in [10, 100, 1000, 10_000] {
        let plant = Plant::start(Shape {
            small,
            big: 0,
            big_rows: 0,
            small_rows: 1250,
            longest_pending: Duration::ZERO,
            with_faults: false,
        })
        .await;
        let (measured, seen) = plant.watch(RunOf::of(&plant, MAX_PENDING, 0)).await;
        let requests = seen.requests as f64 / small as f64;
        shown(&format!("{small} machines"), &measured, requests);
        assert_eq!(measured.stored, small);
    }
}
