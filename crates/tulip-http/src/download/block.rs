//! Bytes from the network, assembled into blocks.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use tulip_core::sink::CHUNK_ALIGNMENT;

use super::huge_pages;

/// Blocks end at multiples of this many bytes of the archive. Large enough that the cost per block
/// is negligible, small enough to stay in a processor's cache.
pub(super) const BLOCK: u64 = 1024 * 1024;
const SIZE: usize = BLOCK as usize;

/// Keeps the memory of unused blocks for new ones, because memory that is new to the process costs
/// more than copying the bytes into it.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<BytesMut>>);

impl Pool {
    fn take(&self) -> BytesMut {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.is_empty() {
            free.extend(huge_pages::blocks(SIZE));
        }
        free.pop().unwrap_or_default()
    }

    fn put(&self, mut memory: BytesMut) {
        memory.clear();
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(memory);
    }
}

/// Memory of a pool, and the bytes in it.
#[derive(Debug)]
struct Block {
    memory: BytesMut,
    /// Where the bytes begin that have not been handed over.
    start: usize,
    pool: Arc<Pool>,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pool.put(std::mem::take(&mut self.memory));
    }
}

/// Assembles what is read into blocks. The small pieces that a connection delivers would each keep
/// alive the whole buffer that they were read into, so that a limit on bytes would not limit the
/// memory.
#[derive(Debug)]
pub(super) struct BlockAssembler {
    pool: Arc<Pool>,
    at: u64,
    block: Option<Block>,
}

impl BlockAssembler {
    /// Creates an assembler of the bytes from `at` on.
    pub(super) fn new(pool: Arc<Pool>, at: u64) -> Self {
        let block = None;
        Self { pool, at, block }
    }

    /// Takes the beginning of `chunk`, and returns a block as soon as it is full.
    pub(super) fn take(&mut self, chunk: &mut Bytes) -> Option<Bytes> {
        let (pool, at) = (&self.pool, self.at);
        let block = self.block.get_or_insert_with(|| {
            let start = usize::try_from(at % CHUNK_ALIGNMENT as u64).unwrap_or(0);
            let mut memory = pool.take();
            memory.resize(start, 0);
            Block {
                memory,
                start,
                pool: pool.clone(),
            }
        });
        let room = usize::try_from(BLOCK - at % BLOCK).unwrap_or(SIZE);
        let piece = chunk.split_to(chunk.len().min(room));
        block.memory.extend_from_slice(&piece);
        self.at += piece.len() as u64;
        match piece.len() == room {
            true => self.block.take().map(Bytes::from_owner),
            false => None,
        }
    }

    /// Returns what has arrived of a block that is not full yet, if anything has. It is copied,
    /// because otherwise it would keep the memory of a whole block.
    pub(super) fn flush(&mut self) -> Option<Bytes> {
        let block = self.block.as_mut()?;
        let bytes = Bytes::copy_from_slice(block.as_ref());
        block.start = block.memory.len();
        (!bytes.is_empty()).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // Each case is several megabytes, in a build without optimisation.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn blocks_are_the_bytes_in_order_and_lie_as_in_the_archive(
            from in 0..3 * BLOCK,
            sizes in proptest::collection::vec(0..700_000_usize, 0..12),
            flushes in 0..12_usize,
        ) {
            // No two chunks begin with the same bytes.
            let pattern: Vec<u8> = (0..2000_u32).map(|n| (n % 251) as u8).collect();
            let pattern = pattern.repeat(351);
            let pool = Arc::new(Pool::default());
            let mut assembler = BlockAssembler::new(pool.clone(), from);
            let (mut sent, mut got) = (Vec::new(), Vec::new());
            for (turn, size) in sizes.iter().enumerate() {
                let chunk = &pattern[turn..turn + size];
                sent.extend_from_slice(chunk);
                let mut chunk = Bytes::copy_from_slice(chunk);
                let mut blocks = Vec::new();
                while !chunk.is_empty() {
                    blocks.extend(assembler.take(&mut chunk));
                }
                if turn >= flushes {
                    blocks.extend(assembler.flush());
                }
                for block in blocks {
                    let at = from + got.len() as u64;
                    if (at + block.len() as u64).is_multiple_of(BLOCK) {
                        prop_assert_eq!(block.as_ptr() as usize % CHUNK_ALIGNMENT, at as usize % CHUNK_ALIGNMENT);
                    }
                    prop_assert!(at / BLOCK == (at + block.len() as u64 - 1) / BLOCK);
                    got.extend_from_slice(&block);
                }
            }
            got.extend(assembler.flush().unwrap_or_default());
            prop_assert_eq!(got, sent);
        }
    }

    #[test]
    fn memory_is_used_again_once_nobody_holds_its_bytes() {
        let pool = Arc::new(Pool::default());
        let mut assembler = BlockAssembler::new(pool.clone(), 0);
        let mut fill = || assembler.take(&mut vec![1; SIZE].into()).unwrap();
        let (first, second) = (fill(), fill());
        assert_ne!(first.as_ptr(), second.as_ptr());
        let (place, rest) = (first.as_ptr(), first.slice(9..));
        drop(first);
        assert!(pool.0.lock().unwrap().is_empty());
        drop(rest);
        assert_eq!(fill().as_ptr(), place);
    }
}
