//! The parsing in every call to Tulip: replies, URLs, keys.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tulip_core::{ArchiveJob, MachineType, ObjectKey, redact_urls};

const STATUS: &[u8] = br#"{ "id": "evsLrbKLQgX8YWE4v", "type": "ddm-machine-activity-export", "status": "complete", "resource": "http://s3.amazon.com/acme/factory/tableExports/1875736_Yadf9otHT.csv?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=f2579879" }"#;

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.bench_function("status reply", |bencher| {
        bencher.iter(|| serde_json::from_slice::<ArchiveJob>(black_box(STATUS)));
    });
    let machines: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"id":"g56RCoZCtzv7b{n}","name":"Mill {n}"}}"#))
        .collect();
    let listing = format!(
        r#"[{{"id":"t","name":"CNC","machines":[{}]}}]"#,
        machines.join(",")
    );
    group.bench_function("listing of 1,000 machines", |bencher| {
        bencher.iter(|| serde_json::from_str::<Vec<MachineType>>(black_box(&listing)));
    });
    let job: ArchiveJob = serde_json::from_slice(STATUS).expect("the documented example");
    let resource = job.resource.expect("the documented example has one");
    group.bench_function("resource URL", |bencher| {
        bencher.iter(|| black_box(&resource).parse());
    });
    group.bench_function("object key", |bencher| {
        bencher.iter(|| ObjectKey::new(black_box("g56RCoZCtzv7borvp/evsLrbKLQgX8YWE4v.csv")));
    });
    let page = "GET https://s3.amazon.com/a.csv?X-Amz-Signature=f25 failed; ".repeat(20);
    group.bench_function("redaction of 1.2 kB with 20 URLs", |bencher| {
        bencher.iter(|| redact_urls(black_box(&page)));
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
