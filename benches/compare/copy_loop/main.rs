//! Copies a file over HTTP by ranges and does nothing else: no checks, no checksum, no sync. How
//! close an export comes to it shows what those cost.
//!
//! `copy-loop http://HOST:PORT/path FILE` copies to a file, `copy-loop http://HOST:PORT/path
//! http://HOST:PORT/bucket/key` to an S3 server that requires no signatures, as a multipart upload.

mod connection;
mod upload;

use std::env;
use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use connection::{Address, Connection};
use upload::Upload;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CONNECTIONS: usize = 2;
const RANGE: u64 = 8 << 20;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, to] = arguments.as_slice() else {
        return Err(
            "usage: copy-loop http://HOST:PORT/path FILE|http://HOST:PORT/bucket/key".into(),
        );
    };
    let from = Address::parse(url)?;
    let length = Connection::open(from.host)?.length(from.path)?;
    match to.starts_with("http://") {
        true => to_store(from, length, Address::parse(to)?),
        false => to_file(from, length, to),
    }
}

fn to_file(from: Address<'_>, length: u64, to: &str) -> Outcome<()> {
    let file = File::create(to).map_err(|error| format!("{to} cannot be made: {error}"))?;
    by_ranges(CONNECTIONS, length, |ranges| {
        let mut source = Connection::open(from.host)?;
        for (first, end) in ranges {
            let mut at = first;
            source.fetch(from.path, first, end, |bytes| {
                file.write_all_at(bytes, at)?;
                at += bytes.len() as u64;
                Ok(())
            })?;
        }
        Ok(())
    })
}

fn to_store(from: Address<'_>, length: u64, to: Address<'_>) -> Outcome<()> {
    let upload = Upload::begin(to)?;
    by_ranges(upload::AT_ONCE, length, |ranges| {
        let (mut source, mut store) = (Connection::open(from.host)?, Connection::open(to.host)?);
        let mut part = Vec::new();
        for (first, end) in ranges {
            part.clear();
            source.fetch(from.path, first, end, |bytes| {
                part.extend_from_slice(bytes);
                Ok(())
            })?;
            upload.put(&mut store, first / RANGE, &part)?;
        }
        Ok(())
    })?;
    upload.complete(length.div_ceil(RANGE))
}

/// Runs `copy` on this many threads, which take ranges until none is left.
fn by_ranges(
    threads: usize,
    length: u64,
    copy: impl Fn(&mut dyn Iterator<Item = (u64, u64)>) -> Outcome<()> + Sync,
) -> Outcome<()> {
    let next = AtomicU64::new(0);
    let take = || {
        let first = next.fetch_add(RANGE, Ordering::Relaxed);
        (first < length).then(|| (first, (first + RANGE).min(length)))
    };
    thread::scope(|scope| {
        let copiers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| copy(&mut std::iter::from_fn(take))))
            .collect();
        copiers
            .into_iter()
            .try_for_each(|copier| copier.join().map_err(|_| "a copier panicked")?)
    })
}
