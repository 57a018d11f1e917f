//! The work on every byte of an archive: framing and checksums. The baselines are the csv crate's
//! record reader, a count of line feeds that ignores quotes, and a plain `memcpy`.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tulip_archive::{ChecksumAlgorithm, FramingRules, Inspector};

const SIZE: usize = 16 * 1024 * 1024;
/// About the size of one read from the network.
const CHUNK: usize = 128 * 1024;

/// An archive that repeats `row`.
fn repeated(row: &str) -> Bytes {
    let header = "State,Start Time,End Time,Duration,Reason\r\n";
    let text = header.to_owned() + &row.repeat(SIZE / row.len() + 1);
    Bytes::from(text).slice(..SIZE)
}

fn archives() -> [(&'static str, Bytes); 3] {
    let time = "2026-11-01T00:00:00Z";
    [
        ("plain", tulip_benches::archive(SIZE)),
        (
            "quoted",
            repeated(&format!(
                "\"Down\",\"{time}\",\"{time}\",\"60\",\"no oil, see \"\"log\"\"\r\n\"\r\n"
            )),
        ),
        (
            "stray quotes",
            repeated(&format!("Down,{time},{time},60,5\" pipe burst\r\n")),
        ),
    ]
}

fn inspect(archive: &[u8], chunk: usize, algorithm: ChecksumAlgorithm) -> u64 {
    let mut inspector = Inspector::new(algorithm, FramingRules::new());
    for piece in archive.chunks(chunk) {
        inspector.update(black_box(piece)).expect("a header");
    }
    inspector.records()
}

fn framing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing and crc64nvme");
    group.throughput(Throughput::Bytes(SIZE as u64));
    let crc = ChecksumAlgorithm::Crc64Nvme;
    for (name, archive) in archives() {
        group.bench_function(name, |bencher| {
            bencher.iter(|| inspect(&archive, CHUNK, crc));
        });
    }
    let archive = tulip_benches::archive(SIZE);
    for chunk in [8 * 1024, SIZE] {
        group.bench_with_input(
            BenchmarkId::new("plain", chunk),
            &chunk,
            |bencher, chunk| {
                bencher.iter(|| inspect(&archive, *chunk, crc));
            },
        );
    }
    group.bench_function("baseline: csv crate", |bencher| {
        bencher.iter(|| {
            let mut reader = csv::ReaderBuilder::new()
                .flexible(true)
                .from_reader(&archive[..]);
            let mut record = csv::ByteRecord::new();
            let mut records = 0_u64;
            while reader.read_byte_record(&mut record).unwrap_or(false) {
                records += 1;
            }
            records
        });
    });
    group.bench_function("baseline: count of line feeds", |bencher| {
        bencher.iter(|| {
            let lines = black_box(&archive[..])
                .iter()
                .filter(|byte| **byte == b'\n');
            lines.count()
        });
    });
    group.bench_function("baseline: copy", |bencher| {
        let mut copy = vec![0; SIZE];
        bencher.iter(|| copy.copy_from_slice(black_box(&archive)));
    });
    group.finish();
}

/// A digest that no store computes comes on top of the CRC, not in place of it.
fn sha256(criterion: &mut Criterion) {
    let archive = tulip_benches::archive(SIZE);
    let mut group = criterion.benchmark_group("framing, crc64nvme and sha256");
    group.throughput(Throughput::Bytes(SIZE as u64));
    group.bench_function("plain", |bencher| {
        bencher.iter(|| inspect(&archive, CHUNK, ChecksumAlgorithm::Sha256));
    });
    group.finish();
}

criterion_group!(benches, framing, sha256);
criterion_main!(benches);
