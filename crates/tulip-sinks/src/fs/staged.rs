//! A staged file, written at offsets: past the page cache where the file system can.
//!
//! An archive is not read again soon. In the page cache it would push out what is, and cost a copy and
//! memory for each of its bytes, only to be synced to the disk at the end all the same.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use object_store::PutPayload;

#[cfg(target_os = "linux")]
use direct::Direct;

/// A file that is open for writing.
#[derive(Debug)]
pub(super) struct StagedFile {
    file: File,
    #[cfg(target_os = "linux")]
    direct: Option<Direct>,
}

impl StagedFile {
    /// A file that does not exist yet, and goes through the page cache.
    pub(super) fn create_cached(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: Self::options().create_new(true).open(path)?,
            #[cfg(target_os = "linux")]
            direct: None,
        })
    }

    /// A file that does not exist yet.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = Self::options().create_new(true).open(path)?;
        Ok(Self::of(file, path))
    }

    /// A file that is there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::of(Self::options().open(path)?, path))
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        options
    }

    #[cfg(target_os = "linux")]
    fn of(file: File, path: &Path) -> Self {
        Self {
            file,
            direct: Direct::open(path),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn of(file: File, _: &Path) -> Self {
        Self { file }
    }

    /// The file, for all but writing.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Writes `payload` at byte `at`.
    pub(super) fn write(&self, payload: PutPayload, mut at: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(direct) = &self.direct {
            return direct.write(&self.file, payload, at);
        }
        for chunk in payload {
            write_all_at(&self.file, &chunk, at)?;
            at += chunk.len() as u64;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, chunk: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, chunk, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut chunk: &[u8], mut at: u64) -> io::Result<()> {
    while !chunk.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, chunk, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                chunk = &chunk[written..];
                at += written as u64;
            }
        }
    }
    Ok(())
}

/// `O_DIRECT`: the disk takes the bytes from where they lie in our memory, if they lie there as they
/// will in the file, and all at multiples of the file system's blocks.
#[cfg(target_os = "linux")]
mod direct {
    use std::fs::{File, OpenOptions};
    use std::io::{self, IoSlice};
    use std::ops::Range;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use object_store::PutPayload;
    use rustix::fs::OFlags;
    use rustix::io::Errno;

    use super::write_all_at;

    /// A multiple of what nearly every disk and file system want. Others refuse, and get their bytes
    /// through the page cache.
    const BLOCK: usize = 4096;

    /// What does not lie right is copied together in pieces of this many bytes: few calls, and memory
    /// that the allocator has at hand.
    const GATHERED: usize = 256 * 1024;

    /// The system takes no more slices at once (`IOV_MAX`).
    const MAX_SLICES: usize = 1024;

    #[derive(Debug)]
    pub(super) struct Direct {
        file: File,
        refused: AtomicBool,
    }

    impl Direct {
        /// The file at `path`, once more; `None` where its file system has no such thing.
        pub(super) fn open(path: &Path) -> Option<Self> {
            let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
            let opened = OpenOptions::new()
                .write(true)
                .custom_flags(flags)
                .open(path);
            Some(Self {
                file: opened.ok()?,
                refused: AtomicBool::new(false),
            })
        }

        /// Writes `payload` at byte `at`. What only begins or ends a block goes through the page cache
        /// of `cached`, and all of the block with it, whoever writes the rest: no block goes both ways.
        pub(super) fn write(&self, cached: &File, payload: PutPayload, at: u64) -> io::Result<()> {
            let chunks: Vec<&[u8]> = payload.iter().map(|chunk| &chunk[..]).collect();
            let lying = chunks_that_lie_right(&chunks, at);
            let (right, rest) = chunks.split_at(lying);
            self.write_vectored(cached, right, at)?;
            let length: usize = right.iter().map(|chunk| chunk.len()).sum();
            let mut gathered = Gathered::new(at + length as u64);
            for mut chunk in rest.iter().copied() {
                while !chunk.is_empty() {
                    chunk = gathered.take(chunk);
                    if gathered.is_full() {
                        self.write_slice(cached, gathered.bytes(), gathered.at)?;
                        gathered.clear();
                    }
                }
            }
            self.write_slice(cached, gathered.bytes(), gathered.at)
        }

        /// Writes whole blocks that lie right, with as few calls as can be.
        fn write_vectored(&self, cached: &File, chunks: &[&[u8]], mut at: u64) -> io::Result<()> {
            for chunks in chunks.chunks(MAX_SLICES) {
                let slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
                // What is not written by this, for whatever reason, is by what follows.
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

        /// Writes bytes that lie in memory as in the file.
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
                        tracing::debug!("the file system wants its bytes through the page cache");
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

    /// How many chunks from the first one on are whole blocks that lie right.
    fn chunks_that_lie_right(chunks: &[&[u8]], at: u64) -> usize {
        let right = |chunk: &&[u8]| {
            chunk.len().is_multiple_of(BLOCK) && chunk.as_ptr().align_offset(BLOCK) == 0
        };
        match at.is_multiple_of(BLOCK as u64) {
            true => chunks.iter().take_while(|chunk| right(chunk)).count(),
            false => 0,
        }
    }

    /// Bytes copied to where they lie right.
    struct Gathered {
        /// Where they begin in the file.
        at: u64,
        memory: Vec<u8>,
        bytes: Range<usize>,
    }

    impl Gathered {
        fn new(at: u64) -> Self {
            Self {
                at,
                memory: Vec::new(),
                bytes: 0..0,
            }
        }

        /// Takes what has room of `chunk`, and gives back the rest.
        fn take<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
            if self.memory.is_empty() {
                self.memory = vec![0; GATHERED + 2 * BLOCK];
                self.clear();
            }
            let room = self.end() - self.bytes.end;
            let (taken, rest) = chunk.split_at(room.min(chunk.len()));
            let end = self.bytes.end + taken.len();
            self.memory[self.bytes.end..end].copy_from_slice(taken);
            self.bytes.end = end;
            rest
        }

        /// They end with a block, so that the next ones begin with one.
        fn end(&self) -> usize {
            self.aligned() + GATHERED
        }

        fn aligned(&self) -> usize {
            self.memory.as_ptr().align_offset(BLOCK)
        }

        fn is_full(&self) -> bool {
            self.bytes.end == self.end()
        }

        fn bytes(&self) -> &[u8] {
            &self.memory[self.bytes.clone()]
        }

        fn clear(&mut self) {
            self.at += self.bytes.len() as u64;
            let offset = usize::try_from(self.at % BLOCK as u64).unwrap_or(0);
            let start = self.aligned() + offset;
            self.bytes = start..start;
        }
    }

    #[cfg(test)]
    mod tests {
        use bytes::{Bytes, BytesMut};
        use proptest::prelude::*;

        use super::super::StagedFile;
        use super::*;

        /// `bytes` in memory as at `at` in a file, or a little beside.
        fn lay(bytes: &[u8], at: u64, right: bool) -> Bytes {
            let mut memory = BytesMut::zeroed(bytes.len() + 3 * BLOCK);
            let offset = usize::try_from(at).unwrap() % BLOCK + if right { 0 } else { 8 };
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
                let staged = StagedFile::create(&path).unwrap();
                if let Some(direct) = &staged.direct {
                    direct.refused.store(refused, Ordering::Relaxed);
                }
                let mut expected = Vec::new();
                for part in parts {
                    let at = expected.len() as u64;
                    let payload: PutPayload = part
                        .into_iter()
                        .map(|(size, right)| {
                            let at = expected.len();
                            let bytes: Vec<u8> = (at..at + size).map(|n| (n % 251) as u8).collect();
                            expected.extend_from_slice(&bytes);
                            lay(&bytes, at as u64, right)
                        })
                        .collect();
                    staged.write(payload, at).unwrap();
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
}
