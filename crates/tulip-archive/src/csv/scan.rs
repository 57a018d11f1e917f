//! Finding the ends of records, 64 bytes at a time.
//!
//! A line feed ends a record unless it stands between quotes. Which bytes stand between quotes
//! follows from the parity of the quotes before them (a doubled quote flips it twice), and the
//! parity of 64 bytes at once is a prefix XOR over the mask of their quotes: the approach of
//! Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), section 3.1.1.

/// Bytes that are looked at together.
pub(super) const BLOCK: usize = 64;

/// What one pass has seen so far. Starts as if a record had just ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner {
    /// All ones between quotes, else zero.
    inside: u64,
    /// Where lines ended in the 64 bytes before: the top bit is the last byte.
    ended: u64,
    last_byte: u8,
    records: u64,
}

impl Scanner {
    /// The state behind the end of a record.
    pub(super) const fn after_record() -> Self {
        Self {
            inside: 0,
            ended: 1 << 63,
            last_byte: b'\n',
            records: 0,
        }
    }

    /// Records that have ended; empty lines are none.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Whether the next byte stands between quotes.
    pub(super) const fn is_inside_quotes(&self) -> bool {
        self.inside != 0
    }

    /// Takes the next bytes; returns where behind the last line end in them the open record
    /// begins, if a line ends in them. `masks` tells where a block has quotes and line feeds,
    /// `prefix_xor` the parity of the quotes; which of them are best depends on the processor.
    #[inline(always)]
    pub(super) fn scan_with(
        &mut self,
        bytes: &[u8],
        masks: impl Fn(&[u8; BLOCK]) -> (u64, u64),
        prefix_xor: impl Fn(u64) -> u64,
    ) -> Option<usize> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        // The last block in which lines end, and where.
        let mut last = (0, 0);
        // A copy stays in registers.
        let mut scanner = *self;
        for (number, block) in blocks.iter().enumerate() {
            let (quotes, feeds) = masks(block);
            let ends = scanner.block(bytes, number * BLOCK, prefix_xor(quotes), feeds);
            scanner.ended = ends;
            if ends != 0 {
                last = (number * BLOCK, ends);
            }
        }
        if !rest.is_empty() {
            let mut padded = [0; BLOCK];
            padded[..rest.len()].copy_from_slice(rest);
            let (quotes, feeds) = masks(&padded);
            let start = blocks.len() * BLOCK;
            let ends = scanner.block(bytes, start, prefix_xor(quotes), feeds);
            scanner.ended = (ends << (BLOCK - rest.len())) | (scanner.ended >> rest.len());
            if ends != 0 {
                last = (start, ends);
            }
        }
        if let Some(byte) = bytes.last() {
            scanner.last_byte = *byte;
        }
        *self = scanner;
        let (start, ends) = last;
        (ends != 0).then(|| start + BLOCK - ends.leading_zeros() as usize)
    }

    /// Takes the block at `start`, behind whose bytes there are zeroes if it is the last: where the
    /// parity of its quotes is odd, and where it has line feeds. Returns where lines end.
    #[inline(always)]
    fn block(&mut self, bytes: &[u8], start: usize, odd: u64, feeds: u64) -> u64 {
        let inside = odd ^ self.inside;
        // The top bit, spread: what follows is inside if the last byte was.
        self.inside = ((inside as i64) >> 63) as u64;
        let ends = feeds & !inside;
        let follows_end = (ends << 1) | (self.ended >> 63);
        let second_after_end = (ends << 2) | (self.ended >> 62);
        let mut empty = ends & follows_end;
        let suspects = ends & second_after_end & !empty;
        if suspects != 0 {
            empty |= behind_returns(bytes, start, suspects, self.last_byte);
        }
        self.records += u64::from((ends & !empty).count_ones());
        ends
    }
}

/// Which of the bytes at `start` that are set in `suspects` follow a carriage return. Few lines are so
/// short that this is asked.
#[cold]
#[inline(never)]
fn behind_returns(bytes: &[u8], start: usize, mut suspects: u64, byte_before: u8) -> u64 {
    let mut found = 0;
    while suspects != 0 {
        let bit = suspects.trailing_zeros() as usize;
        let before = match start + bit {
            0 => byte_before,
            at => bytes[at - 1],
        };
        found |= u64::from(before == b'\r') << bit;
        suspects &= suspects - 1;
    }
    found
}
