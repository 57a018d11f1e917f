//! The content of the cells' archives.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use fastrand::Rng;

/// The minimum size of a [`Size::Large`] archive: more than one part of either sink.
pub(crate) const LARGE: u64 = 5_400_000;
/// The minimum size of a [`Size::Small`] archive: enough to count as progress of a download.
pub(crate) const SMALL: u64 = 150_000;

const HEADER: &str = "State,Start Time,Duration,\"Reason, as told\"\r\n";
pub(crate) const COLUMNS: [&str; 4] = ["State", "Start Time", "Duration", "Reason, as told"];

/// The size of a cell's archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Every sink stores it in one piece.
    Small,
    /// Several parts.
    Large,
}

/// An archive and the number of records that its receipt must have.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    pub(crate) bytes: Bytes,
    pub(crate) records: u64,
}

/// A long archive, whose first records are the shorter ones.
struct Long {
    bytes: Bytes,
    /// Where each record ends.
    ends: Vec<usize>,
}

static ONE: LazyLock<Long> = LazyLock::new(|| long("Running", "Down"));
/// Record by record as long as [`ONE`], but with other words.
static OTHER: LazyLock<Long> = LazyLock::new(|| long("Loading", "Idle"));

fn long(busy: &str, idle: &str) -> Long {
    let mut text = HEADER.to_owned();
    let mut ends = Vec::new();
    while text.len() < 6_500_000 {
        let nth = ends.len();
        let written = match nth % 5 {
            0 => write!(
                text,
                "{idle},{nth:012},{nth},\"oil, \"\"hot\"\"\r\nagain\"\r\n"
            ),
            1 => write!(text, "{busy},{nth:012},{nth},\"größer\"\r\n"),
            _ => write!(text, "{busy},{nth:012},{nth},none of them\r\n"),
        };
        written.unwrap();
        ends.push(text.len());
    }
    let bytes = Bytes::from(text);
    Long { bytes, ends }
}

impl Archive {
    /// An archive of a drawn number of records.
    pub(crate) fn draw(rng: &mut Rng, size: Size) -> Self {
        let bytes = match size {
            Size::Small => SMALL..300_000,
            Size::Large => LARGE..6_400_000,
        };
        Self::first(&ONE, rng, bytes)
    }

    fn first(long: &Long, rng: &mut Rng, bytes: Range<u64>) -> Self {
        let wanted = usize::try_from(rng.u64(bytes)).unwrap();
        let records = 1 + long.ends.partition_point(|end| *end < wanted);
        Self {
            bytes: long.bytes.slice(..long.ends[records - 1]),
            records: records as u64,
        }
    }

    /// A few records that no other archive has.
    pub(crate) fn previous() -> Bytes {
        format!("{HEADER}Off,0,0,before\r\nOff,1,1,before\r\n").into()
    }

    /// Another archive: as long as this one, or shorter.
    pub(crate) fn other(&self, rng: &mut Rng, as_long: bool) -> Self {
        let records = match as_long {
            true => self.records,
            false => self.records - rng.u64(1..self.records / 2),
        };
        let end = OTHER.ends[usize::try_from(records - 1).unwrap()];
        Self {
            bytes: OTHER.bytes.slice(..end),
            records,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// A length at which a cut can be detected: not right after a line break.
    pub(crate) fn cut(&self, rng: &mut Rng, bytes: Range<u64>) -> u64 {
        loop {
            let at = rng.u64(bytes.clone());
            if at == 0 || self.bytes[usize::try_from(at - 1).unwrap()] != b'\n' {
                return at;
            }
        }
    }
}
