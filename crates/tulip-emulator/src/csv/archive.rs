//! Archives of any length, readable at any offset without being stored.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tulip_core::MachineId;

use super::schema::MachineKind;
use super::template::{BLOCK_ROWS, MAX_ROWS, Template};
use crate::random::hash;

/// Why an archive cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// Its dates would run past the year 9999.
    #[error("{rows} rows are more than the {max} that an archive can have", max = CsvArchive::MAX_ROWS)]
    TooManyRows {
        /// The rows asked for.
        rows: u64,
    },
}

/// The archive of one machine: a header and `rows` data records, oldest first. The newest is still
/// open and has neither an end nor a duration.
///
/// The content depends only on seed, machine, kind and row count. It is generated as it is read and
/// never held in memory, so an archive of many gigabytes costs no more than a small one: about 1
/// MiB, shared by all clones. An archive with more rows begins with the same rows, except that the
/// one that was open has ended.
///
/// Every line ends in `\n`. Text fields contain commas, doubled quotes, line breaks and characters
/// of many scripts.
///
/// ```
/// use tulip_emulator::{CsvArchive, MachineKind};
/// let machine = "g56RCoZCtzv7borvp".parse()?;
/// let archive = CsvArchive::new(1, &machine, MachineKind::Cnc, 200_000_000)?;
/// assert!(archive.len() > 19_000_000_000);
/// let mut buffer = [0; 5];
/// assert_eq!(archive.read_at(0, &mut buffer), 5);
/// assert_eq!(&buffer, b"State");
/// assert_eq!(archive.chunk(archive.len() - 1, 100), "\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CsvArchive {
    template: Arc<Template>,
    rows: u64,
    /// Length of the rows that have ended.
    body: u64,
    open_row: Bytes,
    digest: u64,
}

impl CsvArchive {
    /// The most rows that an archive can have, 230 GB or more depending on the kind. Later rows
    /// would have dates past the year 9999.
    pub const MAX_ROWS: u64 = MAX_ROWS;

    /// The archive of `machine`, a machine of `kind`, with `rows` data records.
    ///
    /// # Errors
    /// [`CsvError::TooManyRows`] if `rows` is above [`Self::MAX_ROWS`].
    pub fn new(
        seed: u64,
        machine: &MachineId,
        kind: MachineKind,
        rows: u64,
    ) -> Result<Self, CsvError> {
        let template = Template::build(machine_seed(seed, machine), kind, rows);
        Self::from_template(Arc::new(template), machine_seed(seed, machine), rows)
    }

    /// Like [`Self::new`], but from a `template`, which must have been built with `seed` and cover
    /// `rows`.
    pub(crate) fn from_template(
        template: Arc<Template>,
        seed: u64,
        rows: u64,
    ) -> Result<Self, CsvError> {
        if rows > MAX_ROWS {
            return Err(CsvError::TooManyRows { rows });
        }
        let (body, open_row) = match rows.checked_sub(1) {
            None => (0, Bytes::new()),
            Some(ended) => (
                ended / BLOCK_ROWS * template.block().len() as u64
                    + template.bytes_of(ended % BLOCK_ROWS),
                template.open_row(ended).into(),
            ),
        };
        let mut identity = seed.to_le_bytes().to_vec();
        identity.extend_from_slice(template.header());
        identity.extend_from_slice(&rows.to_le_bytes());
        Ok(Self {
            template,
            rows,
            body,
            open_row,
            digest: hash(&identity),
        })
    }

    /// The number of data records, without the header.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The length of the whole archive in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always a header")]
    pub fn len(&self) -> u64 {
        self.open_at() + self.open_row.len() as u64
    }

    /// The header record, with its line break.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.template.header()
    }

    /// Fills `buffer` with the bytes from `offset` on and returns how many were read: less than the
    /// buffer's length only at the end of the archive, and 0 past it.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some(piece) = self.piece(offset.saturating_add(filled as u64)) else {
                break;
            };
            let length = piece.bytes.len().min(buffer.len() - filled);
            let target = &mut buffer[filled..filled + length];
            target.copy_from_slice(&piece.bytes[..length]);
            self.date(&piece, target);
            filled += length;
        }
        filled
    }

    /// Returns at most `max` bytes from `offset` on, none at or past the end of the archive.
    #[must_use]
    pub fn chunk(&self, offset: u64, max: usize) -> Bytes {
        let left = self.len().saturating_sub(offset);
        let length = usize::try_from(left).map_or(max, |left| left.min(max));
        let mut out = Vec::with_capacity(length);
        while out.len() < length {
            let Some(piece) = self.piece(offset + out.len() as u64) else {
                break;
            };
            let from = out.len();
            let take = piece.bytes.len().min(length - from);
            out.extend_from_slice(&piece.bytes[..take]);
            self.date(&piece, &mut out[from..]);
        }
        out.into()
    }

    /// Returns the whole archive in memory. Meant for small ones.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.chunk(0, usize::MAX)
    }

    /// A hash that differs between archives of different content.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// The offset of the open row.
    fn open_at(&self) -> u64 {
        self.template.header().len() as u64 + self.body
    }

    /// The contiguous bytes at `offset`; `None` at or past the end.
    fn piece(&self, offset: u64) -> Option<Piece<'_>> {
        let plain = |bytes| Piece {
            bytes,
            block: None,
            from: 0,
        };
        let header = self.template.header();
        let Some(in_body) = offset.checked_sub(header.len() as u64) else {
            return Some(plain(&header[usize::try_from(offset).ok()?..]));
        };
        let Some(left) = self.body.checked_sub(in_body).filter(|left| *left > 0) else {
            let in_open = usize::try_from(offset - self.open_at()).ok()?;
            let bytes = self.open_row.get(in_open..)?;
            return (!bytes.is_empty()).then(|| plain(bytes));
        };
        let block = self.template.block();
        let from = usize::try_from(in_body % block.len() as u64).ok()?;
        let until = usize::try_from(left).map_or(block.len(), |left| block.len().min(from + left));
        Some(Piece {
            bytes: &block[from..until],
            block: Some(in_body / block.len() as u64),
            from,
        })
    }

    fn date(&self, piece: &Piece<'_>, bytes: &mut [u8]) {
        if let Some(block) = piece.block {
            self.template.date(block, piece.from, bytes);
        }
    }
}

/// Bytes of the template, with the number of the block whose dates they need.
struct Piece<'a> {
    bytes: &'a [u8],
    block: Option<u64>,
    from: usize,
}

/// The seed of the content of `machine`.
pub(crate) fn machine_seed(seed: u64, machine: &MachineId) -> u64 {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend_from_slice(machine.as_str().as_bytes());
    hash(&bytes)
}

impl fmt::Debug for CsvArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvArchive")
            .field("rows", &self.rows)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
