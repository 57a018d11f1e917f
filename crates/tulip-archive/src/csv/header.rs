//! The first record: its columns, and whether CSV readers can read this text.

use csv_core::{ReadRecordResult, Reader};

use super::FramingError;
use super::error::MAX_HEADER;
use super::kernel;
use super::scan::{BLOCK, Scanner};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes up to the end of the first record.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) bytes: Vec<u8>,
    pub(super) scanner: Scanner,
}

impl Header {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            scanner: Scanner::new(),
        }
    }

    /// Takes the next bytes, up to the line break that ends the header. Returns how many it took if
    /// the header has ended, else `None`.
    pub(super) fn update(&mut self, chunk: &[u8]) -> Result<Option<usize>, FramingError> {
        let mut taken = 0;
        for piece in chunk.chunks(BLOCK) {
            if self.take_block(piece) {
                taken += piece.len();
                continue;
            }
            for byte in piece {
                if self.bytes.len() == MAX_HEADER {
                    check_encoding(&self.bytes)?;
                    return Err(FramingError::HeaderTooLong);
                }
                self.take_byte(*byte);
                taken += 1;
                if self.scanner.records() > 0 {
                    return Ok(Some(taken));
                }
            }
        }
        Ok(None)
    }

    /// Takes a block if all of its bytes certainly belong to the header, and returns whether it
    /// did.
    fn take_block(&mut self, block: &[u8]) -> bool {
        let mut scanner = self.scanner;
        kernel::scan(&mut scanner, block);
        let is_behind_mark = self.bytes.len() >= BYTE_ORDER_MARK.len();
        let is_room = self.bytes.len() + block.len() <= MAX_HEADER;
        let fits = scanner.records() == 0 && is_behind_mark && is_room;
        if fits {
            self.bytes.extend_from_slice(block);
            self.scanner = scanner;
        }
        fits
    }

    fn take_byte(&mut self, byte: u8) {
        self.bytes.push(byte);
        kernel::scan(&mut self.scanner, &[byte]);
        if self.bytes == BYTE_ORDER_MARK {
            // The text starts after the mark.
            self.scanner = Scanner::new();
        }
    }

    /// The bytes after the byte order mark, if any.
    pub(super) fn text(&self) -> &[u8] {
        let bytes = self.bytes.as_slice();
        bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> Result<Vec<String>, FramingError> {
        check_encoding(&self.bytes)?;
        if self.scanner.records() == 0 && self.scanner.open_fields().is_none() {
            return Err(FramingError::Empty);
        }
        let columns = split(&self.bytes);
        match columns.iter().all(|name| name.trim().is_empty()) {
            true => Err(FramingError::BlankHeader),
            false => Ok(columns),
        }
    }
}

/// Refuses UTF-16, UTF-32, and any other text with a NUL byte.
fn check_encoding(header: &[u8]) -> Result<(), FramingError> {
    if let Some(encoding) = wide_encoding(header) {
        return Err(FramingError::WideEncoding { encoding });
    }
    match header.iter().position(|byte| *byte == 0) {
        Some(at) => Err(FramingError::NulByte {
            offset: at as u64,
            records: 0,
        }),
        None => Ok(()),
    }
}

/// Detects UTF-16 and UTF-32 by the byte order mark, or by the NUL bytes of ASCII characters.
fn wide_encoding(header: &[u8]) -> Option<&'static str> {
    match header {
        [0xff, 0xfe, 0, 0, ..] => return Some("UTF-32LE"),
        [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32BE"),
        [0xff, 0xfe, ..] => return Some("UTF-16LE"),
        [0xfe, 0xff, ..] => return Some("UTF-16BE"),
        _ => {}
    }
    let characters = header.as_chunks::<4>().0;
    let all = |is: fn(&[u8; 4]) -> bool| !characters.is_empty() && characters.iter().all(is);
    if all(|c| matches!(c, [1..=255, _, 0, 0])) {
        return Some("UTF-32LE");
    }
    if all(|c| matches!(c, [0, 0, _, 1..=255])) {
        return Some("UTF-32BE");
    }
    let nuls = |first| {
        let places = header.iter().skip(first).step_by(2);
        places.filter(|byte| **byte == 0).count()
    };
    // In mostly ASCII text in UTF-16, about every second byte is NUL, and no others are.
    let is_half = |count: usize| count * 3 >= header.len();
    match (nuls(0), nuls(1)) {
        (0, odd) if odd > 0 && is_half(odd) => Some("UTF-16LE"),
        (even, 0) if even > 0 && is_half(even) => Some("UTF-16BE"),
        _ => None,
    }
}

/// Splits the first record into its fields, like the csv crate. Invalid UTF-8 is replaced.
fn split(header: &[u8]) -> Vec<String> {
    let mut fields = vec![0; header.len()];
    let mut ends = vec![0; header.len() + 1];
    let mut reader = Reader::new();
    // All fields together are at most as long as the record, and number at most its bytes plus one.
    let (first, read, written, mut count) = reader.read_record(header, &mut fields, &mut ends);
    if first == ReadRecordResult::InputEmpty {
        let (_, _, _, more) =
            reader.read_record(&header[read..], &mut fields[written..], &mut ends[count..]);
        count += more;
    }
    let mut from = 0;
    ends[..count]
        .iter()
        .map(|end| {
            let field = String::from_utf8_lossy(&fields[from..*end]).into_owned();
            from = *end;
            field
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_and_a_byte_order_mark_are_resolved() {
        let header = "\u{feff}State,\"Parts, per \"\"hour\"\"\",Störgrund\r\n";
        assert_eq!(
            split(header.as_bytes()),
            ["State", "Parts, per \"hour\"", "Störgrund"]
        );
        assert_eq!(split(b"one"), ["one"]);
        assert_eq!(split(b"a,b,\n"), ["a", "b", ""]);
    }

    #[test]
    fn wide_encodings_are_told_from_padding() {
        let wide = |text: &str, encode: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(encode).collect()
        };
        let header = "State,Störgrund\r";
        assert_eq!(
            wide_encoding(&wide(header, u16::to_le_bytes)),
            Some("UTF-16LE")
        );
        assert_eq!(
            wide_encoding(&wide(header, u16::to_be_bytes)),
            Some("UTF-16BE")
        );
        let utf32: Vec<u8> = header
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        assert_eq!(wide_encoding(&utf32), Some("UTF-32LE"));
        let utf32: Vec<u8> = header
            .chars()
            .flat_map(|c| u32::from(c).to_be_bytes())
            .collect();
        assert_eq!(wide_encoding(&utf32), Some("UTF-32BE"));
        assert_eq!(wide_encoding(b"\xff\xfeS\0\n"), Some("UTF-16LE"));
        assert_eq!(wide_encoding(b"\xfe\xff\0S\0\n"), Some("UTF-16BE"));
        for padded in [
            &b"State\0\0\0\0\0\0\0\0"[..],
            b"\0\0\0\0\0\0",
            b"a,b\0c,d\n",
            b"a,b,c\n",
        ] {
            assert_eq!(wide_encoding(padded), None, "{padded:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_writer_writes_comes_back(names in proptest::collection::vec("[^\\x00]{0,12}", 1..9)) {
            prop_assume!(!names[0].starts_with('\u{feff}'));
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&names).unwrap();
            prop_assert_eq!(split(&writer.into_inner().unwrap()), names);
        }

        #[test]
        fn any_bytes_are_split_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = split(&bytes);
        }
    }
}
