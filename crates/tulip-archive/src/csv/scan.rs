//! Finding the ends of records and fields, 64 bytes at a time.
//!
//! A comma or a line break counts unless it is between quotes. The mask of the bytes between quotes
//! is the prefix XOR of the mask of quotes, after Langdale and Lemire, "Parsing Gigabytes of JSON
//! per Second" (2019), section 3.1.1: an odd number of quotes before a byte means that it is
//! inside, and a doubled quote flips the parity twice.
//!
//! That parity is right only if each quote that it treats as opening is where readers do so too: at
//! the start of a field, or directly after a closing quote, as the second of a doubled pair. Any
//! other is stray. No stray quote precedes the lowest one in a block, so the parity up to it is
//! right, and a reader takes it for a plain character. It is removed from the mask and the prefix
//! XOR is computed again, until no stray quote is left. Well-formed CSV has none, and pays for one
//! test per block.

/// The number of bytes that are scanned together.
pub(super) const BLOCK: usize = 64;

/// The positions of the bytes that matter in a block: bit *i* stands for byte *i*.
#[derive(Debug, Clone, Copy)]
pub(super) struct Masks {
    pub(super) quotes: u64,
    pub(super) commas: u64,
    /// Line feeds and carriage returns. As in the csv crate, each ends a record unless one has just
    /// ended, so CR LF and empty lines need no special case.
    pub(super) breaks: u64,
    /// Non-zero if there is a NUL byte, at whatever position.
    pub(super) nuls: u64,
}

/// The state of one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scanner {
    /// All ones if the next byte is between quotes, else zero.
    inside: u64,
    /// 1 if a quote at the next byte opens a field or is the second of a pair, else 0.
    may_open: u64,
    /// 1 if no record is open, else 0.
    between: u64,
    /// The number of records that have ended.
    records: u64,
    /// The number of fields of the last record that has ended.
    fields: u64,
    /// The number of commas in the open record.
    open_commas: u64,
}

/// The result of scanning the bytes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scan {
    /// The last record that ended in them, if one did.
    pub(super) last: Option<Found>,
    pub(super) has_nul: bool,
}

/// The position of a record in the bytes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Its start, including blank lines before it, if it began in these bytes.
    pub(super) begin: Option<usize>,
    /// The line break that ended it.
    pub(super) end: usize,
}

/// The result of scanning one block.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// The line breaks that end records.
    ends: u64,
    /// The commas that end fields.
    commas: u64,
    nuls: u64,
}

/// A block in which records end.
#[derive(Debug, Clone, Copy, Default)]
struct Ends {
    /// The block's first byte.
    start: usize,
    ends: u64,
}

impl Ends {
    /// The highest end.
    fn last(self) -> usize {
        self.start + 63 - self.ends.leading_zeros() as usize
    }

    /// The highest end but one, if there are two.
    fn last_but_one(mut self) -> Option<usize> {
        self.ends &= !(1 << (63 - self.ends.leading_zeros()));
        (self.ends != 0).then(|| self.last())
    }
}

impl Scanner {
    /// Creates a scanner at the start of a record.
    pub(super) const fn new() -> Self {
        Self {
            inside: 0,
            may_open: 1,
            between: 1,
            records: 0,
            fields: 0,
            open_commas: 0,
        }
    }

    /// The number of records that have ended. Empty lines are not records.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// The number of fields of the last record that has ended.
    pub(super) const fn fields(&self) -> u64 {
        self.fields
    }

    /// Whether the next byte is between quotes.
    pub(super) const fn is_inside_quotes(&self) -> bool {
        self.inside != 0
    }

    /// The number of fields so far of the open record, if there is one.
    pub(super) const fn open_fields(&self) -> Option<u64> {
        match self.between {
            0 => Some(self.open_commas + 1),
            _ => None,
        }
    }

    /// Scans the next bytes. `masks` and `prefix_xor` are the versions for this processor.
    ///
    /// Fields are counted in a second pass, over the last record that ended and the open one only:
    /// no others are needed.
    #[inline(always)]
    pub(super) fn scan_with(
        &mut self,
        bytes: &[u8],
        masks: impl Fn(&[u8; BLOCK]) -> Masks,
        prefix_xor: impl Fn(u64) -> u64,
    ) -> Scan {
        let mut after = *self;
        // The last two blocks in which records end, and a slot for the next. Writing every block to
        // that slot is cheaper than a branch that half of the blocks take.
        let mut ring = [Ends::default(); 4];
        let mut found = 0;
        let mut nuls = 0;
        after.each_block(bytes, &masks, &prefix_xor, |start, block| {
            nuls |= block.nuls;
            let ends = block.ends;
            ring[found % 4] = Ends { start, ends };
            found += usize::from(ends != 0);
        });
        let commas = |mut scanner: Self, bytes: &[u8]| {
            let mut commas = 0;
            scanner.each_block(bytes, &masks, &prefix_xor, |_, block| {
                commas += u64::from(block.commas.count_ones());
            });
            commas
        };
        let last = match found {
            0 => {
                after.open_commas += commas(*self, bytes);
                None
            }
            _ => {
                let last = ring[(found - 1) % 4];
                let previous = (found > 1).then(|| ring[(found - 2) % 4].last());
                let begin = last.last_but_one().or(previous).map(|end| end + 1);
                let end = last.last();
                let of_last = match begin {
                    Some(begin) => commas(Self::new(), &bytes[begin..end]),
                    None => self.open_commas + commas(*self, &bytes[..end]),
                };
                after.fields = of_last + 1;
                after.open_commas = commas(Self::new(), &bytes[end + 1..]);
                Some(Found { begin, end })
            }
        };
        *self = after;
        Scan {
            last,
            has_nul: nuls != 0,
        }
    }

    /// Scans the next bytes block by block.
    #[inline(always)]
    fn each_block(
        &mut self,
        bytes: &[u8],
        masks: impl Fn(&[u8; BLOCK]) -> Masks,
        prefix_xor: impl Fn(u64) -> u64,
        mut found: impl FnMut(usize, Block),
    ) {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        // A copy stays in registers.
        let mut scanner = *self;
        for (number, block) in blocks.iter().enumerate() {
            found(
                number * BLOCK,
                scanner.block(BLOCK, masks(block), &prefix_xor),
            );
        }
        if !rest.is_empty() {
            let mut padded = [b' '; BLOCK];
            padded[..rest.len()].copy_from_slice(rest);
            let block = scanner.block(rest.len(), masks(&padded), &prefix_xor);
            found(blocks.len() * BLOCK, block);
        }
        *self = scanner;
    }

    /// Scans the next `len` bytes, whose `masks` have no bits beyond them.
    #[inline(always)]
    fn block(&mut self, len: usize, masks: Masks, prefix_xor: impl Fn(u64) -> u64) -> Block {
        let Masks {
            mut quotes,
            commas,
            breaks,
            nuls,
        } = masks;
        let inside = loop {
            let inside = prefix_xor(quotes) ^ self.inside;
            let opening = quotes & inside;
            let may_open = ((quotes | commas | breaks) << 1) | self.may_open;
            let stray = opening & !may_open;
            if stray == 0 {
                break inside;
            }
            quotes &= !(stray & stray.wrapping_neg());
        };
        let breaks = breaks & !inside;
        let ends = breaks & !((breaks << 1) | self.between);
        let last = len - 1;
        // The byte before an opening quote is never inside, so `may_open` need not check for that.
        let special = quotes | commas | breaks;
        // Spreads the last bit: the next byte is inside if the last one was.
        self.inside = ((inside << (63 - last)) as i64 >> 63) as u64;
        self.may_open = (special >> last) & 1;
        self.between = (breaks >> last) & 1;
        self.records += u64::from(ends.count_ones());
        Block {
            ends,
            commas: commas & !inside,
            nuls,
        }
    }
}
