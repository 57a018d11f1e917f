//! Where archives come from and where they go: the columns of the matrix.

use std::fmt;

use tulip_emulator::JobScript;

use Host::{Chunked, NoRanges, Ranges, Split, Untagged};
use Place::{Fs, S3};

/// Where archives go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Fs,
    S3,
}

/// How the asset host serves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// As an object store does: with a length, ranges and an entity tag.
    Ranges,
    /// Like `Ranges`, but chunked, without a length.
    Chunked,
    /// Like `Ranges`, for archives that are fetched in ranges over several connections.
    Split,
    /// Whole or not at all.
    NoRanges,
    /// Chunked, without a tag to tell one archive from another.
    Untagged,
}

/// A place and a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column(pub(crate) Place, pub(crate) Host);

impl Host {
    pub(crate) fn script(self) -> JobScript {
        let script = JobScript::new();
        match self {
            Ranges | Split => script,
            Chunked => script.chunked(),
            NoRanges => script.without_ranges(),
            Untagged => script.chunked().without_etag(),
        }
    }

    /// Whether a download can continue where it broke off.
    pub(crate) fn continues(self) -> bool {
        matches!(self, Ranges | Split | Chunked)
    }

    /// Whether a reply ends by the announced length of the whole archive.
    pub(crate) fn announces(self) -> bool {
        self == NoRanges
    }

    /// Whether the first request is only for a part of the archive.
    pub(crate) fn splits(self) -> bool {
        self == Split
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.0 {
            Fs => "fs",
            S3 => "s3",
        };
        let host = match self.1 {
            Ranges => "ranges",
            Split => "split",
            Chunked => "chunked",
            NoRanges => "no-ranges",
            Untagged => "untagged",
        };
        write!(f, "{place}/{host}")
    }
}

/// Every sink with every source.
pub(crate) const ALL: [Column; 10] = [
    Column(Fs, Ranges),
    Column(Fs, Split),
    Column(Fs, Chunked),
    Column(Fs, NoRanges),
    Column(Fs, Untagged),
    Column(S3, Ranges),
    Column(S3, Split),
    Column(S3, Chunked),
    Column(S3, NoRanges),
    Column(S3, Untagged),
];
/// Every sink with every source that is read over one connection at a time.
pub(crate) const UNSPLIT: [Column; 8] = [
    Column(Fs, Ranges),
    Column(Fs, Chunked),
    Column(Fs, NoRanges),
    Column(Fs, Untagged),
    Column(S3, Ranges),
    Column(S3, Chunked),
    Column(S3, NoRanges),
    Column(S3, Untagged),
];
/// Each sink, with sources that can continue a download and sources that cannot.
pub(crate) const BOTH_WAYS: [Column; 6] = [
    Column(Fs, Ranges),
    Column(Fs, Split),
    Column(Fs, NoRanges),
    Column(S3, Ranges),
    Column(S3, Split),
    Column(S3, Untagged),
];
/// Like [`BOTH_WAYS`], but over one connection at a time.
pub(crate) const UNSPLIT_BOTH_WAYS: [Column; 4] = [
    Column(Fs, Ranges),
    Column(Fs, NoRanges),
    Column(S3, Ranges),
    Column(S3, Untagged),
];
/// Each sink, with sources that can continue a download.
pub(crate) const CONTINUING: [Column; 6] = [
    Column(Fs, Ranges),
    Column(Fs, Split),
    Column(Fs, Chunked),
    Column(S3, Ranges),
    Column(S3, Split),
    Column(S3, Chunked),
];
/// Each sink, if it does not matter how the archive is served.
pub(crate) const SINKS: [Column; 2] = [Column(Fs, Ranges), Column(S3, Ranges)];
/// Each sink, with and without a size hint.
pub(crate) const SINKS_HINTED: [Column; 6] = CONTINUING;
/// The bucket, with and without a size hint.
pub(crate) const BUCKET: [Column; 2] = [Column(S3, Ranges), Column(S3, Chunked)];
/// The bucket alone.
pub(crate) const BUCKET_ONCE: [Column; 1] = [Column(S3, Ranges)];
