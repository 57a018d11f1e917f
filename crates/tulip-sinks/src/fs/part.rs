//! The bytes of one write.

use bytes::{Bytes, BytesMut};

/// Chunks below this many bytes are copied together; larger ones are kept as they are.
const COPY_BELOW: usize = 16 * 1024;

/// Chunks in order, gathered for one write.
#[derive(Debug, Default)]
pub(super) struct Part {
    chunks: Vec<Bytes>,
    /// Copies of small chunks, each of which would keep alive the whole buffer it was read into.
    small: BytesMut,
    length: usize,
}

impl Part {
    /// Bytes in this part.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.length += chunk.len();
        if chunk.len() < COPY_BELOW {
            self.small.extend_from_slice(&chunk);
        } else {
            self.close_small();
            self.chunks.push(chunk);
        }
    }

    /// Returns all chunks, and leaves the part empty.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.close_small();
        self.length = 0;
        std::mem::take(&mut self.chunks)
    }

    fn close_small(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push(self.small.split().freeze());
        }
    }
}
