//! The first record: which columns there are.

use csv_core::{ReadRecordResult, Reader};

/// Splits one record into its fields, quotes resolved, a byte order mark dropped. Bytes that are
/// not UTF-8 are replaced.
pub(super) fn columns(record: &[u8]) -> Vec<String> {
    let record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
    let mut fields = vec![0; record.len()];
    let mut ends = vec![0; record.len() + 1];
    let mut reader = Reader::new();
    // The fields of a record are never longer than it, and never more than its bytes and one.
    let (first, read, written, mut count) = reader.read_record(record, &mut fields, &mut ends);
    if first == ReadRecordResult::InputEmpty {
        let (_, _, _, more) =
            reader.read_record(&record[read..], &mut fields[written..], &mut ends[count..]);
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
            columns(header.as_bytes()),
            ["State", "Parts, per \"hour\"", "Störgrund"]
        );
        assert_eq!(columns(b"one"), ["one"]);
        assert_eq!(columns(b"a,b,\n"), ["a", "b", ""]);
    }

    proptest! {
        #[test]
        fn what_a_writer_writes_comes_back(names in proptest::collection::vec("[^\\x00]{0,12}", 1..9)) {
            prop_assume!(!names[0].starts_with('\u{feff}'));
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&names).unwrap();
            prop_assert_eq!(columns(&writer.into_inner().unwrap()), names);
        }

        #[test]
        fn any_bytes_are_split_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = columns(&bytes);
        }
    }
}
