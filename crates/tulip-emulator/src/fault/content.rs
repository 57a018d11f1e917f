//! Archives with wrong content.

use bytes::Bytes;

use super::Reply;
use crate::gzip::gzip;

/// The ways in which an archive's bytes can be wrong, while everything around them is right: a
/// `text/csv` with a length, ranges and its own `ETag`.
///
/// The bytes are made in memory for each request, so use it with small archives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentFault {
    /// An S3 error document instead of the archive, with this code, such as `SlowDown` or
    /// `InternalError`.
    Xml(String),
    /// A Tulip error instead of the archive, as one line of JSON.
    Json,
    /// A sign-in page instead of the archive.
    Html,
    /// The archive is gzipped, but no header says so.
    Gzip,
    /// The archive is in little-endian UTF-16 with a byte order mark. Invalid UTF-8 is replaced.
    Utf16Le,
    /// Like [`ContentFault::Utf16Le`], but big-endian.
    Utf16Be,
    /// This many NULs follow the last record, as after a crash of the host.
    Nuls(usize),
    /// These bytes follow the last record, such as an error in the middle of the export.
    Appended(Bytes),
    /// The last record lacks its last field.
    Ragged,
    /// No record follows the header.
    HeaderOnly,
}

impl ContentFault {
    /// Returns the bytes served instead of `archive`.
    pub(crate) fn spoil(&self, archive: &[u8]) -> Bytes {
        match self {
            Self::Xml(code) => Reply::xml(500, code, "Please try again.").body,
            Self::Json => {
                let error = Reply::error(500, "InternalServerError", "the export timed out");
                followed(&error.body, b"\n")
            }
            Self::Html => Bytes::from_static(
                b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n",
            ),
            Self::Gzip => gzip(archive).into(),
            Self::Utf16Le => utf16(archive, u16::to_le_bytes),
            Self::Utf16Be => utf16(archive, u16::to_be_bytes),
            Self::Nuls(count) => followed(archive, &vec![0; *count]),
            Self::Appended(bytes) => followed(archive, bytes),
            Self::Ragged => {
                let marks = Marks::of(archive);
                followed(&archive[..marks.last_comma], line_break(archive))
            }
            Self::HeaderOnly => Bytes::copy_from_slice(&archive[..Marks::of(archive).header]),
        }
    }
}

fn followed(first: &[u8], then: &[u8]) -> Bytes {
    [first, then].concat().into()
}

fn utf16(archive: &[u8], to_bytes: fn(u16) -> [u8; 2]) -> Bytes {
    let text = format!("\u{feff}{}", String::from_utf8_lossy(archive));
    text.encode_utf16().flat_map(to_bytes).collect()
}

fn line_break(archive: &[u8]) -> &'static [u8] {
    match archive {
        [.., b'\r', b'\n'] => b"\r\n",
        [.., b'\n'] => b"\n",
        _ => b"",
    }
}

/// Positions in an archive, outside quoted fields.
struct Marks {
    /// Where the header ends.
    header: usize,
    /// The last comma between two fields; the archive's end if there is none.
    last_comma: usize,
}

impl Marks {
    fn of(archive: &[u8]) -> Self {
        let (mut header, mut last_comma, mut quoted) = (None, archive.len(), false);
        for (at, byte) in archive.iter().enumerate() {
            match byte {
                b'"' => quoted = !quoted,
                b',' if !quoted => last_comma = at,
                b'\n' if !quoted => header = header.or(Some(at + 1)),
                _ => {}
            }
        }
        Self {
            header: header.unwrap_or(archive.len()),
            last_comma,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARCHIVE: &[u8] = b"a,\"b\nc\"\r\n1,2\r\n3,\"4,5\n\"\r\n";

    fn spoil(fault: ContentFault) -> Bytes {
        fault.spoil(ARCHIVE)
    }

    #[test]
    fn a_header_ends_and_fields_begin_where_quotes_say_so() {
        assert_eq!(spoil(ContentFault::HeaderOnly), &b"a,\"b\nc\"\r\n"[..]);
        assert_eq!(
            spoil(ContentFault::Ragged),
            &b"a,\"b\nc\"\r\n1,2\r\n3\r\n"[..]
        );
    }

    #[test]
    fn utf_16_begins_with_its_byte_order_mark() {
        assert!(spoil(ContentFault::Utf16Le).starts_with(b"\xff\xfea\0,\0"));
        assert!(spoil(ContentFault::Utf16Be).starts_with(b"\xfe\xff\0a\0,"));
    }

    #[test]
    fn what_follows_the_last_record_comes_behind_all_of_it() {
        let nuls = spoil(ContentFault::Nuls(3));
        assert_eq!(nuls.strip_prefix(ARCHIVE), Some(&[0, 0, 0][..]));
        let error = spoil(ContentFault::Appended("{}\n".into()));
        assert_eq!(error.strip_prefix(ARCHIVE), Some(&b"{}\n"[..]));
    }

    #[test]
    fn whatever_the_archive_is_it_can_be_spoilt() {
        for fault in [
            ContentFault::Ragged,
            ContentFault::HeaderOnly,
            ContentFault::Utf16Le,
            ContentFault::Gzip,
            ContentFault::Json,
        ] {
            let _ = (fault.spoil(b""), fault.spoil(b"\xff"));
        }
    }
}
