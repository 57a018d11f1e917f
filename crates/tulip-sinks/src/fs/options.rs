//! The options of a `file://` URL.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tulip_core::parse_byte_size;
use tulip_core::sink::{Capabilities, SinkError, SinkErrorKind, SinkOption, SinkUrl};

const MIB: u64 = 1024 * 1024;

/// Bytes of one write: large enough for few requests to the disk, small enough that two in flight
/// keep it busy without much memory.
const PART: u64 = 2 * MIB;
/// The part being filled, and two in flight.
const MEMORY: u64 = 3 * PART;
const LARGEST_PART: u64 = 2048 * MIB;
/// No disk needs more writes in flight, however much memory is allowed.
const MOST_IN_FLIGHT: u64 = 64;
/// Parts are multiples of a block of direct I/O.
const BLOCK: u64 = 4096;

pub(super) const OPTIONS: [SinkOption; 2] = [
    SinkOption::new(
        "memory",
        "bytes of an archive held in memory, 1MiB or more; 6MiB by default",
    )
    .public()
    .tuning(),
    SinkOption::new(
        "part_size",
        "bytes written at once, 1MiB to 2GiB; 2MiB by default",
    )
    .public()
    .tuning(),
];

/// What a good file system can do.
pub(super) const CAPABILITIES: Capabilities = Capabilities::NONE
    .with_lookup()
    .with_atomic_create()
    .with_read()
    .with_resume();

/// How many bytes are gathered for one write, and how many writes are in flight. Neither depends on
/// the real or announced size of an archive.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Bytes of one write: a multiple of 4096.
    pub(super) part: usize,
    /// One permit for each write in flight, shared by all writers of a sink.
    pub(super) in_flight: Arc<Semaphore>,
}

impl Limits {
    pub(super) fn from_url(url: &SinkUrl) -> Result<Self, SinkError> {
        let (part, memory) = (size(url, "part_size")?, size(url, "memory")?);
        if part.is_some_and(|part| !(MIB..=LARGEST_PART).contains(&part)) {
            return Err(invalid("part_size", "it takes a size from 1MiB to 2GiB"));
        }
        if memory.is_some_and(|memory| memory < part.unwrap_or(MIB)) {
            return Err(invalid("memory", "it takes 1MiB or more, and one part"));
        }
        let part = part.unwrap_or(PART.min(memory.unwrap_or(MEMORY).div_ceil(2)).max(MIB));
        let part = part / BLOCK * BLOCK;
        let memory = memory.unwrap_or(MEMORY).max(part);
        let in_flight = ((memory - part) / part).clamp(1, MOST_IN_FLIGHT);
        Ok(Self {
            part: usize::try_from(part).unwrap_or(usize::MAX),
            in_flight: Arc::new(Semaphore::new(usize::try_from(in_flight).unwrap_or(1))),
        })
    }
}

fn size(url: &SinkUrl, name: &str) -> Result<Option<u64>, SinkError> {
    let wrong = || invalid(name, "it takes a size such as 8MiB, 8MB or 8388608");
    url.option(name)
        .map(|text| parse_byte_size(&text).ok_or_else(wrong))
        .transpose()
}

fn invalid(name: &str, why: &str) -> SinkError {
    let what = format!("the option {name:?} cannot be used: {why}");
    SinkError::new(SinkErrorKind::InvalidTarget, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(query: &str) -> Result<(usize, usize), String> {
        let url = format!("file:///data?{query}").parse().unwrap();
        let limits = Limits::from_url(&url).map_err(|error| error.to_string())?;
        let mib = 1024 * 1024;
        Ok((limits.part / mib, limits.in_flight.available_permits()))
    }

    #[test]
    fn parts_and_writes_in_flight_fit_into_memory() {
        for (query, part, in_flight) in [
            ("", 2, 2),
            ("memory=1MiB", 1, 1),
            ("memory=20MiB", 2, 9),
            ("memory=1024GiB", 2, 64),
            ("part_size=5MiB", 5, 1),
            ("part_size=8MiB&memory=32MiB", 8, 3),
        ] {
            assert_eq!(limits(query), Ok((part, in_flight)), "{query}");
        }
    }

    #[test]
    fn sizes_that_cannot_be_used_are_refused() {
        for query in [
            "memory=1kB",
            "memory=lots",
            "part_size=1kB",
            "part_size=3GiB",
            "part_size=16MiB&memory=8MiB",
        ] {
            let error = limits(query).unwrap_err();
            assert!(error.contains("cannot be used"), "{error}");
        }
    }
}
