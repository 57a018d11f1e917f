//! As much of S3's multipart uploads as a copy needs.

use std::fmt::Write as _;
use std::sync::Mutex;

use crate::Outcome;
use crate::connection::{Address, Connection};

/// Parts that are sent concurrently.
pub(crate) const AT_ONCE: usize = 4;

pub(crate) struct Upload<'a> {
    to: Address<'a>,
    id: String,
    /// Numbers and entity tags of the parts that have arrived.
    parts: Mutex<Vec<(u64, String)>>,
}

impl<'a> Upload<'a> {
    pub(crate) fn begin(to: Address<'a>) -> Outcome<Self> {
        let path = format!("{}?uploads", to.path);
        let (_, answer) = Connection::open(to.host)?.send("POST", &path, &[])?;
        let id = answer
            .split_once("<UploadId>")
            .and_then(|(_, rest)| rest.split_once("</UploadId>"))
            .ok_or("the store's answer has no UploadId")?
            .0
            .to_owned();
        Ok(Self {
            to,
            id,
            parts: Mutex::default(),
        })
    }

    /// Sends the part with this index, counted from 0.
    pub(crate) fn put(&self, store: &mut Connection<'_>, index: u64, bytes: &[u8]) -> Outcome<()> {
        let number = index + 1;
        let path = format!("{}?partNumber={number}&uploadId={}", self.to.path, self.id);
        let (reply, _) = store.send("PUT", &path, bytes)?;
        let tag = reply
            .header("etag")
            .ok_or("the store's answer has no ETag")?;
        let mut parts = self.parts.lock().map_err(|_| "another copier panicked")?;
        parts.push((number, tag.to_owned()));
        Ok(())
    }

    pub(crate) fn complete(self, expected: u64) -> Outcome<()> {
        let mut parts = self.parts.into_inner().map_err(|_| "a copier panicked")?;
        parts.sort_unstable();
        if parts.len() as u64 != expected {
            return Err(format!("{} of {expected} parts were sent", parts.len()).into());
        }
        let mut body = String::from("<CompleteMultipartUpload>");
        for (number, tag) in parts {
            write!(
                body,
                "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
            )?;
        }
        body.push_str("</CompleteMultipartUpload>");
        let path = format!("{}?uploadId={}", self.to.path, self.id);
        Connection::open(self.to.host)?.send("POST", &path, body.as_bytes())?;
        Ok(())
    }
}
