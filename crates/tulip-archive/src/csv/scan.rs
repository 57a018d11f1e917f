//! Finding the ends of records and fields, 64 bytes at a time.
//!
//! A comma or a line break counts unless it stands between quotes. Which bytes of a block stand
//! between quotes is the prefix XOR over the mask of its quotes, after Langdale and Lemire,
//! "Parsing Gigabytes of JSON per Second" (2019), section 3.1.1: an odd number of quotes before a
//! byte means that it is inside, and a doubled quote flips the parity twice.
//!
//! That parity is right only if each quote that opens by it stands where a reader takes it for an
//! opening one: at the start of a field, or directly behind a closing quote, as the second of a
//! doubled pair. The lowest quote of a block for which this does not hold has only quotes before
//! it for which it does, so the parity up to it is right, and a reader takes it for a plain
//! character. It is struck from the mask and the prefix XOR is taken again, until all quotes
//! agree. Well-formed CSV has no such quote, and pays for one test a block.

/// Bytes that are looked at together.
pub(super) const BLOCK: usize = 64;

/// Where a block has what: bit *i* stands for byte *i*.
#[derive(Debug, Clone, Copy)]
pub(super) struct Masks {
    pub(super) quotes: u64,
    pub(super) commas: u64,
    /// Line feeds and carriage returns. Each ends a record, as the csv crate has it, unless one
    /// has just ended; so CR LF and empty lines need no care of their own.
    pub(super) breaks: u64,
    /// Not zero where there is a NUL byte, wherever it is.
    pub(super) nuls: u64,
}

/// What one pass has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scanner {
    /// All ones where the next byte stands between quotes, else zero.
    inside: u64,
    /// 1 where a quote at the next byte opens a field or is the second of a pair, else 0.
    may_open: u64,
    /// 1 where no record is open, else 0.
    between: u64,
    /// Records that have ended.
    records: u64,
    /// Fields of the last record that has ended.
    fields: u64,
    /// Commas of the open record.
    open_commas: u64,
}

/// What the bytes of one call hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scan {
    /// The last record that ended in them, if one did.
    pub(super) last: Option<Found>,
    pub(super) has_nul: bool,
}

/// Where a record lies in the bytes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it begins, blank lines before it included, if it began in them.
    pub(super) begin: Option<usize>,
    /// The line break that ended it.
    pub(super) end: usize,
}

/// What a block holds.
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
    /// A scanner at the start of a record.
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

    /// Records that have ended; empty lines are none.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Fields of the last record that has ended.
    pub(super) const fn fields(&self) -> u64 {
        self.fields
    }

    /// Whether the next byte stands between quotes.
    pub(super) const fn is_inside_quotes(&self) -> bool {
        self.inside != 0
    }

    /// Fields so far of the record that has not ended, if there is one.
    pub(super) const fn open_fields(&self) -> Option<u64> {
        match self.between {
            0 => Some(self.open_commas + 1),
            _ => None,
        }
    }

    /// Takes the next bytes. `masks` and `prefix_xor` are whatever this processor does best.
    ///
    /// Fields are counted in a second pass, over the last record that ended and the one that is
    /// open: those of all others are of no interest.
    #[inline(always)]
    pub(super) fn scan_with(
        &mut self,
        bytes: &[u8],
        masks: impl Fn(&[u8; BLOCK]) -> Masks,
        prefix_xor: impl Fn(u64) -> u64,
    ) -> Scan {
        let mut after = *self;
        // The last two blocks in which records end, and a place for the next. Writing each block
        // there is cheaper than a branch that half of the blocks take.
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

    /// Takes the next bytes, block by block.
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

    /// Takes the next `len` bytes, whose `masks` have no bit beyond them.
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
        // What stands before an opening quote is never inside, so `may_open` need not ask.
        let special = quotes | commas | breaks;
        // The last bit, spread: what follows is inside if the last byte was.
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
