//! The whole path in one process: an emulator, an export over loopback, a file synced to disk.
//! The baseline downloads the same archive and drops it.

use std::time::Duration;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tulip_archive::{Exporter, Outcome, Source};
use tulip_emulator::{Emulator, JobScript};
use tulip_http::{Client, Piece, Settings};

fn export(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let emulator = runtime.block_on(Emulator::start()).expect("an emulator");
    let settings = Settings::new(emulator.base_url(), emulator.credentials());
    let client = Client::builder(settings).build().expect("a client");
    let folder = TempDir::new().expect("a folder");
    let target = folder.path().display().to_string();
    let exporter = runtime.block_on(Exporter::builder(client.clone()).to(target).build());
    let exporter = exporter.expect("an exporter");
    let mut group = criterion.benchmark_group("export");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.measurement_time(Duration::from_secs(8));
    for rows in [10, 10_000, 1_000_000] {
        let job = emulator
            .add_job(JobScript::new().rows(rows))
            .expect("a job");
        let bytes = emulator.content(&job).expect("the job's archive").len();
        group.throughput(Throughput::Bytes(bytes));
        group.bench_with_input(BenchmarkId::new("to disk", rows), &job, |bencher, job| {
            // Without its receipt, the previous iteration's archive does not count as complete.
            let receipt = folder.path().join(format!("_{job}.csv.receipt.json"));
            bencher.to_async(&runtime).iter(|| async {
                let _ = std::fs::remove_file(&receipt);
                let outcome = exporter.export(Source::job(job.clone())).await;
                assert!(matches!(outcome, Ok(Outcome::Exported { .. })));
            });
        });
        group.bench_with_input(
            BenchmarkId::new("baseline: download", rows),
            &job,
            |bencher, job| {
                bencher.to_async(&runtime).iter(|| async {
                    let found = client.archive_status(job).await.expect("a status");
                    let resource = found.resource.expect("complete").parse().expect("a URL");
                    let download = client.download(job, resource).await;
                    let mut download = download.expect("a download");
                    let mut bytes = 0;
                    while let Some(piece) = download.next().await.expect("a piece") {
                        if let Piece::Bytes(chunk) = piece {
                            bytes += chunk.len();
                        }
                    }
                    bytes
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, export);
criterion_main!(benches);
