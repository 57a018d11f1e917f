//! Direct I/O (`O_DIRECT`): the disk reads the bytes from our memory, without a copy in the page
//! cache. Their address and their offset in the file must be equal modulo a block.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::sys::{flags, is_same_file, write_all_at};

/// A multiple of the alignment that nearly every disk and file system requires. The others refuse a
/// write and get its bytes through the page cache.
const BLOCK: usize = 4096;

/// Unaligned bytes are copied into buffers of this size: large enough for few calls, small enough
/// that the allocator has the memory at hand.
const BUFFER: usize = 256 * 1024;

/// The system takes no more slices at once (`IOV_MAX`).
const MAX_SLICES: usize = 1024;

/// A second handle of a file, for direct I/O.
#[derive(Debug)]
pub(super) struct DirectIo {
    file: File,
    /// Whether the file system has refused a write.
    refused: AtomicBool,
}

impl DirectIo {
    /// Opens `file`, which is at `path`, a second time. `None` if its file system has no direct
    /// I/O, or if another file is at `path` by now.
    pub(super) fn open(path: &Path, file: &File) -> Option<Self> {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(flags(OFlags::DIRECT | OFlags::NOFOLLOW))
            .open(path)
            .ok()?;
        let is_same = is_same_file(&opened.metadata().ok()?, &file.metadata().ok()?);
        is_same.then_some(Self {
            file: opened,
            refused: AtomicBool::new(false),
        })
    }

    /// Writes `chunks` from byte `at` on. A partial block goes through the page cache, by `cached`,
    /// and so does the rest of that block later: no block is written both ways.
    pub(super) fn write(&self, cached: &File, chunks: &[Bytes], at: u64) -> io::Result<()> {
        let (aligned, rest) = chunks.split_at(aligned_chunks(chunks, at));
        self.write_vectored(cached, aligned, at)?;
        let length: usize = aligned.iter().map(Bytes::len).sum();
        let mut buffer = AlignedBuffer::new(at + length as u64);
        for chunk in rest {
            let mut chunk = &chunk[..];
            while !chunk.is_empty() {
                chunk = buffer.take(chunk);
                if buffer.is_full() {
                    self.write_slice(cached, buffer.bytes(), buffer.at)?;
                    buffer.clear();
                }
            }
        }
        self.write_slice(cached, buffer.bytes(), buffer.at)
    }

    /// Writes aligned chunks of whole blocks in as few calls as possible.
    fn write_vectored(&self, cached: &File, chunks: &[Bytes], mut at: u64) -> io::Result<()> {
        for chunks in chunks.chunks(MAX_SLICES) {
            let slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
            // Whatever this call does not write is written below.
            let mut written = match self.refused.load(Ordering::Relaxed) {
                false => rustix::io::pwritev(&self.file, &slices, at).unwrap_or(0),
                true => 0,
            };
            for chunk in chunks {
                let done = written.min(chunk.len()) / BLOCK * BLOCK;
                self.write_slice(cached, &chunk[done..], at + done as u64)?;
                written -= done;
                at += chunk.len() as u64;
            }
        }
        Ok(())
    }

    /// Writes bytes that are aligned in memory as in the file.
    fn write_slice(&self, cached: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let blocks = blocks(at, bytes.len());
        let (head, rest) = bytes.split_at(blocks.start);
        let (whole, tail) = rest.split_at(blocks.len());
        write_all_at(cached, head, at)?;
        let at = at + head.len() as u64;
        if self.refused.load(Ordering::Relaxed) {
            write_all_at(cached, whole, at)?;
        } else {
            match write_all_at(&self.file, whole, at) {
                Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                    tracing::debug!("the file system refuses direct I/O");
                    self.refused.store(true, Ordering::Relaxed);
                    write_all_at(cached, whole, at)?;
                }
                written => written?,
            }
        }
        write_all_at(cached, tail, at + whole.len() as u64)
    }
}

/// The whole blocks among `length` bytes at `at`, counted from the first byte.
fn blocks(at: u64, length: usize) -> Range<usize> {
    let start = distance_to_block(at).min(length);
    start..start + (length - start) / BLOCK * BLOCK
}

fn distance_to_block(at: u64) -> usize {
    usize::try_from(at.next_multiple_of(BLOCK as u64) - at).unwrap_or(0)
}

/// How many of the first chunks are aligned and consist of whole blocks.
fn aligned_chunks(chunks: &[Bytes], at: u64) -> usize {
    let is_aligned = |chunk: &&Bytes| {
        chunk.len().is_multiple_of(BLOCK) && chunk.as_ptr().align_offset(BLOCK) == 0
    };
    match at.is_multiple_of(BLOCK as u64) {
        true => chunks.iter().take_while(is_aligned).count(),
        false => 0,
    }
}

/// A copy of bytes at an aligned address.
struct AlignedBuffer {
    /// The bytes' offset in the file.
    at: u64,
    memory: Vec<u8>,
    /// The bytes' start in `memory`.
    start: usize,
}

impl AlignedBuffer {
    fn new(at: u64) -> Self {
        Self {
            at,
            memory: Vec::new(),
            start: 0,
        }
    }

    /// Copies as much of `chunk` as fits, and returns the rest.
    fn take<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        if self.memory.capacity() == 0 {
            self.memory = Vec::with_capacity(BUFFER + 2 * BLOCK);
            self.clear();
        }
        let room = self.end() - self.memory.len();
        let (taken, rest) = chunk.split_at(room.min(chunk.len()));
        self.memory.extend_from_slice(taken);
        rest
    }

    /// The buffer's end, which is the end of a block, so that the next bytes start a block.
    fn end(&self) -> usize {
        self.aligned() + BUFFER
    }

    fn aligned(&self) -> usize {
        self.memory.as_ptr().align_offset(BLOCK)
    }

    fn is_full(&self) -> bool {
        self.memory.len() == self.end()
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..]
    }

    fn clear(&mut self) {
        self.at += self.bytes().len() as u64;
        let offset = usize::try_from(self.at % BLOCK as u64).unwrap_or(0);
        self.start = self.aligned() + offset;
        self.memory.clear();
        self.memory.resize(self.start, 0);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;

    /// `bytes` in memory, aligned like offset `at` in a file, or unaligned.
    fn lay(bytes: &[u8], at: u64, aligned: bool) -> Bytes {
        let mut memory = BytesMut::zeroed(bytes.len() + 3 * BLOCK);
        let offset = usize::try_from(at).unwrap() % BLOCK + if aligned { 0 } else { 8 };
        let start = memory.as_ptr().align_offset(BLOCK) + offset;
        memory[start..start + bytes.len()].copy_from_slice(bytes);
        memory.freeze().slice(start..start + bytes.len())
    }

    fn chunk() -> impl Strategy<Value = (usize, bool)> {
        let size = prop_oneof![1..9000_usize, (1..80_usize).prop_map(|n| n * BLOCK)];
        (size, any::<bool>())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_file_holds_what_was_written_however_it_lies_in_memory(
            parts in proptest::collection::vec(proptest::collection::vec(chunk(), 1..6), 1..6),
            refused in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("staged");
            let cached = File::create_new(&path).unwrap();
            let Some(direct) = DirectIo::open(&path, &cached) else {
                return Ok(());
            };
            direct.refused.store(refused, Ordering::Relaxed);
            let mut expected = Vec::new();
            for part in parts {
                let at = expected.len() as u64;
                let chunks: Vec<Bytes> = part
                    .into_iter()
                    .map(|(size, aligned)| {
                        let at = expected.len();
                        let bytes: Vec<u8> = (at..at + size).map(|n| (n % 251) as u8).collect();
                        expected.extend_from_slice(&bytes);
                        lay(&bytes, at as u64, aligned)
                    })
                    .collect();
                direct.write(&cached, &chunks, at).unwrap();
            }
            prop_assert!(std::fs::read(&path).unwrap() == expected);
        }

        #[test]
        fn only_whole_blocks_are_written_directly(at in 0..20_000_u64, length in 0..20_000_usize) {
            let blocks = blocks(at, length);
            let (start, end) = (at + blocks.start as u64, at + blocks.end as u64);
            prop_assert!(blocks.end <= length && blocks.len().is_multiple_of(BLOCK));
            prop_assert!(blocks.is_empty() || start.is_multiple_of(BLOCK as u64));
            prop_assert!(blocks.start < BLOCK && at + (length as u64) - end < 2 * BLOCK as u64);
        }
    }
}
