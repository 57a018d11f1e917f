//! The cost of polling: one job, and a thousand at once. The baseline is the bare status call.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tulip_archive::poll::{PollPolicy, Poller};
use tulip_emulator::{Emulator, JobScript};
use tulip_http::{Client, Settings};

const JOBS: usize = 1000;

fn poll(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let emulator = runtime.block_on(Emulator::start()).expect("an emulator");
    let settings = Settings::new(emulator.base_url(), emulator.credentials());
    let client = Client::builder(settings).build().expect("a client");
    let script = JobScript::new().rows(1);
    let jobs: Vec<_> = (0..JOBS)
        .map(|_| emulator.add_job(script.clone()).expect("a job"))
        .collect();
    let policy = PollPolicy::default();
    let mut group = criterion.benchmark_group("poll");
    group.bench_function("baseline: status call", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| async { client.archive_status(&jobs[0]).await.expect("a status") });
    });
    group.bench_function("one job", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let poller = Poller::new(&client, jobs[0].clone(), policy);
            poller.until_complete().await.expect("complete")
        });
    });
    group
        .sample_size(20)
        .throughput(Throughput::Elements(JOBS as u64));
    group.bench_function("1,000 jobs at once", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let mut polling = JoinSet::new();
            for job in &jobs {
                polling.spawn(Poller::new(&client, job.clone(), policy).until_complete());
            }
            while let Some(polled) = polling.join_next().await {
                polled.expect("no panic").expect("complete");
            }
        });
    });
    group.finish();
}

criterion_group!(benches, poll);
criterion_main!(benches);
