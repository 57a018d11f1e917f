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
        let mut open = None;
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        for (at, block) in blocks.iter().enumerate() {
            let (quotes, feeds) = masks(block);
            let ends = self.block(block, BLOCK as u32, prefix_xor(quotes), feeds);
            if ends != 0 {
                open = Some(at * BLOCK + (BLOCK - ends.leading_zeros() as usize));
            }
        }
        if !rest.is_empty() {
            let mut padded = [0; BLOCK];
            padded[..rest.len()].copy_from_slice(rest);
            let (quotes, feeds) = masks(&padded);
            let ends = self.block(&padded, rest.len() as u32, prefix_xor(quotes), feeds);
            if ends != 0 {
                let start = blocks.len() * BLOCK;
                open = Some(start + (BLOCK - ends.leading_zeros() as usize));
            }
        }
        open
    }

    /// Takes the first `length` bytes of a block whose other bytes are zero: where the parity of
    /// its quotes is odd, and where it has line feeds. Returns where lines end.
    #[inline(always)]
    fn block(&mut self, block: &[u8; BLOCK], length: u32, odd: u64, feeds: u64) -> u64 {
        let inside = odd ^ self.inside;
        // The top bit, spread: what follows is inside if the last byte was.
        self.inside = ((inside as i64) >> 63) as u64;
        let ends = feeds & !inside;
        let follows_end = (ends << 1) | (self.ended >> 63);
        let second_after_end = (ends << 2) | (self.ended >> 62);
        let mut empty = ends & follows_end;
        let mut suspects = ends & second_after_end & !empty;
        while suspects != 0 {
            let at = suspects.trailing_zeros() as usize;
            let before = if at == 0 {
                self.last_byte
            } else {
                block[at - 1]
            };
            if before == b'\r' {
                empty |= 1 << at;
            }
            suspects &= suspects - 1;
        }
        self.records += u64::from((ends & !empty).count_ones());
        self.ended = match length {
            64 => ends,
            _ => (ends << (64 - length)) | (self.ended >> length),
        };
        self.last_byte = block[length as usize - 1];
        ends
    }
}
