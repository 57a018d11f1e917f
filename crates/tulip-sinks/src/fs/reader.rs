//! The reader of a stored file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use tulip_core::sink::{SinkError, SinkErrorKind, SinkReader};

use super::error::from_io;
use super::{blocking, sys};

/// The most bytes of one read.
const CHUNK: usize = 1024 * 1024;

/// Reads a file from its first byte.
pub(super) struct FileReader {
    path: PathBuf,
    /// `None` during a read, and after a failure.
    file: Option<io::Take<File>>,
}

impl FileReader {
    /// Opens a stored file. `None` if there is none, or something other than a regular file.
    pub(super) async fn open(path: PathBuf) -> Result<Option<Self>, SinkError> {
        blocking::run(move || {
            let opened = sys::open_to_read(&path)
                .and_then(|file| Ok(file.metadata()?.is_file().then_some(file)));
            match opened {
                Ok(file) => Ok(file.map(|file| Self::new(path, file, u64::MAX))),
                Err(error) if is_nothing(&error) => Ok(None),
                Err(error) => Err(from_io(error, format!("cannot read {}", path.display()))),
            }
        })
        .await
    }

    /// Reads the first `bytes` of a file.
    pub(super) fn new(path: PathBuf, file: File, bytes: u64) -> Self {
        let file = Some(file.take(bytes));
        Self { path, file }
    }
}

/// Whether a path does not exist: there is no such name, or one of its parents is a file.
pub(super) fn is_nothing(error: &io::Error) -> bool {
    let nothing = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    nothing.contains(&error.kind())
}

#[async_trait]
impl SinkReader for FileReader {
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError> {
        let what = format!("cannot read {}", self.path.display());
        let Some(mut file) = self.file.take() else {
            let what = format!("{what}: an earlier read failed");
            return Err(SinkError::new(SinkErrorKind::Other, what));
        };
        let (file, chunk) = blocking::run(move || {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
            read.map_err(|error| from_io(error, what))?;
            Ok((file, chunk))
        })
        .await?;
        self.file = Some(file);
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }
}
