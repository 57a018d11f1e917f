//! What every byte of an archive passes through: framing and checksums. The baselines are a plain
//! `memcpy`, the csv crate's record reader, and a count of line feeds that ignores quotes.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tulip_archive::{ChecksumAlgorithm, Digester, FinalLineBreak, Framer, Inspector};

const SIZE: usize = 16 * 1024 * 1024;
/// About what one read from the network brings.
const CHUNK: usize = 128 * 1024;

fn framing(criterion: &mut Criterion) {
    let archive = tulip_benches::archive(SIZE);
    let mut group = criterion.benchmark_group("framing");
    group.throughput(Throughput::Bytes(SIZE as u64));
    for chunk in [8 * 1024, CHUNK, SIZE] {
        group.bench_with_input(
            BenchmarkId::new("framer", chunk),
            &chunk,
            |bencher, chunk| {
                bencher.iter(|| {
                    let mut framer = Framer::new();
                    for piece in archive.chunks(*chunk) {
                        framer.update(black_box(piece)).expect("a header");
                    }
                    framer.records()
                });
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

fn checksum(criterion: &mut Criterion) {
    let archive = tulip_benches::archive(SIZE);
    let mut group = criterion.benchmark_group("checksum");
    group.throughput(Throughput::Bytes(SIZE as u64));
    for algorithm in [ChecksumAlgorithm::Crc64Nvme, ChecksumAlgorithm::Sha256] {
        group.bench_function(algorithm.as_str(), |bencher| {
            bencher.iter(|| {
                let mut digester = Digester::new(algorithm);
                for piece in archive.chunks(CHUNK) {
                    digester.update(black_box(piece));
                }
                digester.finish()
            });
        });
    }
    group.finish();
}

fn inspection(criterion: &mut Criterion) {
    let archive = tulip_benches::archive(SIZE);
    let mut group = criterion.benchmark_group("inspection");
    group.throughput(Throughput::Bytes(SIZE as u64));
    group.bench_function("framing and crc64nvme", |bencher| {
        bencher.iter(|| {
            let algorithm = ChecksumAlgorithm::Crc64Nvme;
            let mut inspector = Inspector::new(algorithm, FinalLineBreak::Required);
            for piece in archive.chunks(CHUNK) {
                inspector.update(black_box(piece)).expect("a header");
            }
            inspector.records()
        });
    });
    group.finish();
}

criterion_group!(benches, framing, checksum, inspection);
criterion_main!(benches);
