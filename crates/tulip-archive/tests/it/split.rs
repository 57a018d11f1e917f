//! Archives that are downloaded over several connections, and the cost of that. The speed is
//! guarded by counts of requests and bytes, never by times.

use std::num::NonZeroUsize;
use std::time::Duration;

use tulip_archive::{Client, Source};
use tulip_emulator::{Endpoint, Fault, JobScript, Requests};
use tulip_http::{ClientBuilder, ExponentialBackoff, Piece};

use crate::support::{Bench, receipt};

const MIB: u64 = 1024 * 1024;

/// More than a few ranges of the smallest size, and not a whole number of them.
fn archive() -> Vec<u8> {
    let row = "Running,2026-11-24T09:00:00Z,12.5,\"oil, \"\"hot\"\"\"\r\n";
    let rows = 6 * MIB as usize / row.len();
    format!("State,Start Time,Duration,Reason\r\n{}", row.repeat(rows)).into()
}

fn builder(bench: &Bench) -> ClientBuilder {
    let retry = ExponentialBackoff::default().delays(Duration::ZERO, Duration::ZERO);
    Client::builder(bench.settings())
        .retry(retry)
        .split_above(MIB)
}

/// Exports `script`, checks the stored bytes and returns the number of attempts.
async fn export(bench: &Bench, client: ClientBuilder, script: JobScript) -> u32 {
    let job = bench.job(script.content(archive()));
    let target = bench.folder.path().to_str().unwrap();
    let exporter = tulip_archive::Exporter::builder(client.build().unwrap()).to(target);
    let exporter = exporter.build().await.unwrap();
    let outcome = exporter.export(Source::job(job.clone())).await.unwrap();
    assert!(bench.read(&format!("{job}.csv")) == archive());
    receipt(&outcome).attempts
}

/// The requested ranges, in the order of the archive.
fn ranges(requests: &Requests) -> Vec<String> {
    let ranges = requests.asset.iter().map(|request| request.range.clone());
    let mut ranges: Vec<_> = ranges.map(Option::unwrap_or_default).collect();
    ranges.sort_by_key(|range| {
        let start = range.trim_start_matches("bytes=").split('-').next();
        start.and_then(|start| start.parse::<u64>().ok())
    });
    ranges
}

#[tokio::test]
async fn a_small_archive_is_one_request_for_its_status_and_one_for_its_bytes() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().rows(1000));
    let exporter = bench.exporter().build().await.unwrap();
    exporter.export(Source::job(job)).await.unwrap();
    let requests = bench.emulator.requests();
    assert_eq!(requests.count(Endpoint::Status), 1);
    assert_eq!(requests.count(Endpoint::Asset), 1);
}

#[tokio::test]
async fn ranges_meet_without_gaps_and_each_byte_is_sent_once() {
    let bench = Bench::start().await;
    let attempts = export(&bench, builder(&bench), JobScript::new()).await;
    assert_eq!(attempts, 1, "nothing was asked for once more");
    let requests = bench.emulator.requests();
    let mut next = 0;
    for range in ranges(&requests) {
        let (start, last) = range["bytes=".len()..].split_once('-').unwrap();
        assert_eq!(start.parse::<u64>().unwrap(), next, "{range}");
        next = last.parse::<u64>().unwrap() + 1;
    }
    assert!(next >= archive().len() as u64);
    assert_eq!(requests.asset_bytes, archive().len() as u64);
    // At most one for each MiB.
    let most = archive().len() as u64 / MIB + 1;
    assert!(requests.count(Endpoint::Asset) as u64 <= most);
    let first = &requests.asset[0];
    assert_eq!(first.if_match, None);
    assert!(
        requests.asset[1..]
            .iter()
            .all(|request| request.if_match.is_some())
    );
}

#[tokio::test]
async fn one_connection_asks_for_the_whole_without_a_range() {
    for client in [
        |client: ClientBuilder| client.connections(NonZeroUsize::MIN),
        |client: ClientBuilder| client.read_ahead(MIB),
    ] {
        let bench = Bench::start().await;
        export(&bench, client(builder(&bench)), JobScript::new()).await;
        assert_eq!(ranges(&bench.emulator.requests()), [""]);
    }
}

#[tokio::test]
async fn a_range_that_breaks_off_is_asked_for_again_alone() {
    for fault in [
        Fault::Cut { after: 300_000 },
        Fault::Reset { after: 300_000 },
        Fault::Hangup,
    ] {
        let bench = Bench::start().await;
        let script = JobScript::new().asset_faults([Fault::None, fault.clone()]);
        let attempts = export(&bench, builder(&bench), script).await;
        assert_eq!(attempts, 2, "{fault:?}");
        let sent = bench.emulator.requests().asset_bytes;
        assert!(sent < archive().len() as u64 + MIB, "{fault:?}: {sent}");
    }
}

#[tokio::test]
async fn a_url_that_expires_for_all_ranges_is_replaced_once() {
    let bench = Bench::start().await;
    // The first range and half of the next one are served.
    let script = JobScript::new().asset_faults([Fault::None, Fault::Expire { after: MIB / 2 }]);
    export(&bench, builder(&bench), script).await;
    assert_eq!(bench.emulator.requests().count(Endpoint::Status), 2);
}

#[tokio::test]
async fn an_archive_that_changes_between_two_ranges_is_never_mixed() {
    let bench = Bench::start().await;
    let other = String::from_utf8(archive())
        .unwrap()
        .replace("Running", "Stopped");
    let script = JobScript::new()
        .content(archive())
        .replacement(other.clone());
    let script = script
        .asset_faults([Fault::None, Fault::None])
        .asset_always(Fault::Replaced);
    let job = bench.job(script);
    let target = bench.folder.path().to_str().unwrap();
    let exporter = tulip_archive::Exporter::builder(builder(&bench).build().unwrap()).to(target);
    let exporter = exporter.build().await.unwrap();
    exporter.export(Source::job(job.clone())).await.unwrap();
    assert!(bench.read(&format!("{job}.csv")) == other.as_bytes());
}

#[tokio::test]
async fn a_reader_that_takes_nothing_more_has_no_more_ranges_fetched() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().content(archive()));
    let client = builder(&bench).read_ahead(2 * MIB).build().unwrap();
    let found = client.archive_status(&job).await.unwrap();
    let resource = found.resource.unwrap().parse().unwrap();
    let mut download = client.download(&job, resource).await.unwrap();
    let mut got = 0;
    while got < 2 * MIB {
        match download.next().await.unwrap().unwrap() {
            Piece::Bytes(bytes) => got += bytes.len() as u64,
            other => panic!("{other:?}"),
        }
    }
    // Two ranges fit, the bytes handed out have made room for two more, and nobody reads on.
    let asked = ranges(&bench.emulator.requests());
    assert!(asked.len() <= 5, "{asked:?}");
    let mut rest = 0;
    while let Some(piece) = download.next().await.unwrap() {
        match piece {
            Piece::Bytes(bytes) => rest += bytes.len() as u64,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got + rest, archive().len() as u64);
}
