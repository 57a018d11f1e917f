//! A local file that is being read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;
use tulip_core::sink::{SinkError, SinkReader};

use super::from_io;

/// What one read asks the system for.
const CHUNK: u64 = 1024 * 1024;

/// Reads a file from its first byte.
pub(crate) struct FileReader {
    path: PathBuf,
    /// `None` while it is read from, and after a failure.
    file: Option<io::Take<File>>,
}

impl FileReader {
    /// Opens a file, of which no more than `most` bytes are to be read; `None` where there is none.
    pub(crate) async fn open(path: PathBuf, most: u64) -> Result<Option<Self>, SinkError> {
        let opening = path.clone();
        let opened = spawn_blocking(move || {
            let file = File::open(&opening)?;
            match file.metadata()?.is_dir() {
                true => Err(io::ErrorKind::IsADirectory.into()),
                false => Ok(file),
            }
        });
        let opened = opened.await.map_err(io::Error::other).and_then(|file| file);
        match opened {
            Ok(file) => Ok(Some(Self {
                path,
                file: Some(file.take(most)),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(from_io(&error, format!("cannot read {}", path.display()))),
        }
    }
}

#[async_trait]
impl SinkReader for FileReader {
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError> {
        let failed = |error| from_io(&error, format!("cannot read {}", self.path.display()));
        let ended = || io::Error::other("an earlier read has failed");
        let file = self.file.take().ok_or_else(ended).map_err(failed)?;
        let read = spawn_blocking(move || {
            let mut file = file;
            let mut chunk = Vec::with_capacity(usize::try_from(CHUNK).unwrap_or_default());
            file.by_ref().take(CHUNK).read_to_end(&mut chunk)?;
            Ok((file, chunk))
        });
        let read = read.await.map_err(io::Error::other).and_then(|read| read);
        let (file, chunk) = read.map_err(failed)?;
        self.file = Some(file);
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }
}
