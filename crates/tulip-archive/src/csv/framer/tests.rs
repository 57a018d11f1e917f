use proptest::prelude::*;

use super::*;
use crate::csv::oracle;

fn rules(rule: FinalLineBreak) -> FramingRules {
    FramingRules::new().with_final_line_break(rule)
}

fn frame(bytes: impl AsRef<[u8]>, rules: FramingRules) -> Result<Framing, FramingError> {
    let mut framer = Framer::new(rules);
    framer.update(bytes.as_ref())?;
    framer.finish()
}

/// Counts records with the default rules.
fn strict(bytes: impl AsRef<[u8]>) -> Result<u64, FramingError> {
    frame(bytes, FramingRules::new()).map(|framing| framing.records)
}

/// An archive with `rows` records.
fn table(rows: usize) -> String {
    let mut text = "State,Start Time,End Time,Duration,Reason\n".to_owned();
    for row in 0..rows {
        text += &format!("Running,2026-11-01T00:00:00Z,2026-11-01T00:01:00Z,60,ok {row:07}\n");
    }
    text
}

#[test]
fn a_header_alone_is_a_whole_archive() {
    let framing = frame("State,Start Time\r\n", FramingRules::new()).unwrap();
    assert_eq!(
        (framing.records, framing.columns),
        (0, vec!["State".into(), "Start Time".into()])
    );
}

#[test]
fn nothing_and_blank_lines_are_empty() {
    for empty in ["", "\n", "\r\n\n", "\r", "\u{feff}", "\u{feff}\r\n"] {
        assert_eq!(strict(empty), Err(FramingError::Empty), "{empty:?}");
    }
}

#[test]
fn a_header_without_names_is_refused() {
    for blank in [" \n", ",,,\n", "\"\"\n", " , \t\r\n1,2\r\n"] {
        assert_eq!(strict(blank), Err(FramingError::BlankHeader), "{blank:?}");
    }
    assert_eq!(strict("a,,\n"), Ok(0));
}

#[test]
fn a_cut_inside_quotes_is_an_open_quote() {
    let begins = "1,\"x".to_owned();
    assert_eq!(
        strict("a,b\n1,\"x"),
        Err(FramingError::OpenQuote { records: 0, begins })
    );
    let begins = "\"a".to_owned();
    assert_eq!(
        strict("\"a"),
        Err(FramingError::OpenQuote { records: 0, begins })
    );
}

#[test]
fn a_cut_outside_quotes_is_an_open_record() {
    let open = |records, fields, begins: &str| {
        Err(FramingError::OpenRecord {
            records,
            fields,
            columns: 2,
            begins: begins.to_owned(),
        })
    };
    assert_eq!(strict("a,b"), open(0, 2, "a,b"));
    assert_eq!(strict("a,b\n1,2\n3"), open(1, 1, "3"));
    assert_eq!(strict("a,b\n1,2\n3,4"), open(1, 2, "3,4"));
}

#[test]
fn a_missing_final_line_break_is_accepted_on_request_where_no_field_is_missing() {
    let records =
        |text| frame(text, rules(FinalLineBreak::Optional)).map(|framing| framing.records);
    assert_eq!(records("a,b"), Ok(0));
    assert_eq!(records("a,b\n1,2\n3,4"), Ok(2));
    assert_eq!(records("a,b\n1,2\n3,\"x,\ny\""), Ok(2));
    assert_eq!(records("a,b\n1,2\n"), Ok(1));
    assert!(records("a,b\n1,2\n3").is_err());
    assert!(records("a,b\n1,2\n3,\"4").is_err());
}

#[test]
fn empty_lines_are_no_records() {
    assert_eq!(strict("\r\na,b\r\n\r\n1,2\r\n\n\n3,4\n\r\n"), Ok(2));
}

#[test]
fn stray_quote_one() {
    let text = table(1000).replace("ok 0000300", "5\" pipe burst");
    assert_eq!(strict(text), Ok(1000));
}

#[test]
fn stray_quote_two() {
    let text = table(1000).replace("ok 0000300", "5\" pipe");
    assert_eq!(strict(text.replace("ok 0000700", "6\" pipe")), Ok(1000));
    // Two in one field, and two with a comma between them that still separates fields.
    assert_eq!(strict("a,b\n5\" by 6\",x\n5\",6\"\n"), Ok(2));
}

#[test]
fn stray_quotes_in_every_record_leave_real_ones_real() {
    let text = "a,b\n5\",\"x,\ny\"\n\"a\"b\"\"c,\"d\"\" \"\n".repeat(50);
    assert_eq!(strict(text), Ok(149));
}

#[test]
fn error_tail_json() {
    let text = table(1000) + "{\"errorCode\":\"Internal\",\"details\":\"the export timed out\"}\n";
    let error = strict(text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the archive ends with a JSON object in place of a record: {\"errorCode\":\"Internal\",\"details\":\"the export timed out\"}"
    );
}

#[test]
fn error_tail_json_is_found_whatever_its_number_of_fields() {
    let long = format!("{{\"a\":\"{}\",\"b\":1}}\n", "x".repeat(1000));
    for json in [
        "{\"a\":1,\"b\":2}\n",
        "{ \"a\": 1, \"b\": [2] }",
        " {\"a\":1,\"b\":2}\n",
        "[{\"a\":1},{\"b\":2}]\n",
        "1,Runn{\"error\":\"timeout\"}\n",
        "Runn{\"error\":\"timeout\",\"code\":5}\n",
        long.as_str(),
    ] {
        let error = strict(format!("h,i\n1,2\n{json}")).unwrap_err();
        assert!(matches!(error, FramingError::JsonRecord { .. }), "{error}");
    }
    // A CSV writer can have written these.
    assert_eq!(strict("h\n{}\n"), Ok(1));
    assert_eq!(strict("h,i\n\"{\"\"a\"\":1}\",2\n"), Ok(1));
    assert_eq!(strict("h,i\n{\"a,b\n"), Ok(1));
    // Nor is this an error message in mid-record: services that quote nothing write such fields.
    assert_eq!(strict("h,i\n1,{\"a\":1}\n"), Ok(1));
    assert_eq!(strict("h,i\n1, {\"a\":1}\n"), Ok(1));
    assert_eq!(strict("h,i\n1,a{b}\n"), Ok(1));
}

#[test]
fn error_tail_exception() {
    let text = table(1000)
        + "__exception__\nCode: 395. DB::Exception: There was an error in the stream! (version 25.1.6.34)\n";
    let error = strict(text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the last record (number 1002) has 1 field where the header has 5: Code: 395. DB::Exception: There was an error in the stream! …"
    );
}

#[test]
fn a_last_record_of_other_fields_is_accepted_on_request() {
    let rules = FramingRules::new().with_ragged(RaggedRecords::Allow);
    let records = |text| frame(text, rules).map(|framing| framing.records);
    assert_eq!(records("a,b\n1,2\n3\n"), Ok(2));
    assert_eq!(records("a,b\n1,2,3\n"), Ok(1));
    assert_eq!(records("a,b\n{\"a\":1}\n"), Ok(1));
    assert!(records("a,b\n1,2\n3").is_err());
    let optional = rules.with_final_line_break(FinalLineBreak::Optional);
    assert_eq!(frame("a,b\n1,2\n3", optional).unwrap().records, 2);
}

#[test]
fn only_the_last_record_is_compared_with_the_header() {
    assert_eq!(strict("a,b\n1\n1,2,3\n1,2\n\n"), Ok(3));
    let error = strict("a,b\n1,2\n1,2,3\n\n").unwrap_err();
    let FramingError::RaggedRecord { record, fields, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((record, fields), (2, 3));
}

#[test]
fn an_excerpt_is_one_clean_line_without_a_signature() {
    let tail = "see \u{1b}[2J https://h.example/a?X-Amz-Signature=5ig\u{7} ";
    let error = strict(format!("a,b\n1,2\n{tail}\n"))
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("see [2J https://h.example/[redacted]"),
        "{error}"
    );
}

#[test]
fn lines_may_end_with_cr_alone() {
    let text = table(100).replace('\n', "\r");
    assert_eq!(strict(&text), Ok(100));
    assert!(strict(text.trim_end()).is_err());
}

#[test]
fn a_cut_between_cr_and_lf_is_named() {
    let text = table(10).replace('\n', "\r\n");
    let cut = text.strip_suffix('\n').unwrap();
    assert_eq!(
        strict(cut),
        Err(FramingError::HalfLineBreak { records: 10 })
    );
    // Nothing shows that the lines end with CR alone here.
    assert_eq!(
        strict("a,b\r"),
        Err(FramingError::HalfLineBreak { records: 0 })
    );
    let optional = rules(FinalLineBreak::Optional);
    assert_eq!(frame(cut, optional).unwrap().records, 10);
}

#[test]
fn control_z_at_the_end_is_named() {
    let whole = table(10);
    let open = whole.trim_end().to_owned();
    for (text, records) in [
        (whole.clone() + "\x1a", 10),
        (whole.clone() + "\x1a\x1a\x1a", 10),
        (whole + "\x1a\r\n", 10),
        (open + "\x1a", 9),
        ("a,b\x1a".into(), 0),
        ("\x1a".into(), 0),
        ("\x1a\n".into(), 0),
        ("\u{feff}\n\x1a\n".into(), 0),
    ] {
        for rule in [FinalLineBreak::Required, FinalLineBreak::Optional] {
            let error = frame(&text, rules(rule)).unwrap_err();
            assert_eq!(error, FramingError::ControlZ { records }, "{text:?}");
        }
    }
    assert_eq!(strict("a\n\x1a1\n\"\x1a\"\n"), Ok(2));
}

#[test]
fn nul_bytes_are_named_with_their_place() {
    let whole = table(10);
    let end = whole.len() as u64;
    let row = whole.find("ok 0000004").unwrap();
    let mut hole = whole.clone().into_bytes();
    hole[row..row + 200].fill(0);
    let nul = |offset, records| Err(FramingError::NulByte { offset, records });
    assert_eq!(strict(whole.clone() + &"\0".repeat(512)), nul(end, 10));
    assert_eq!(strict(&hole), nul(row as u64, 4));
    assert_eq!(strict("a,\0b\n1,2\n"), nul(2, 0));
    assert_eq!(strict("a,b\n1,\"\0\"\n"), nul(7, 0));
    assert_eq!(strict([0; 4096]), nul(0, 0));
    assert_eq!(strict("State\0\0\0\0\0\0\0\0"), nul(5, 0));
}

#[test]
fn utf_16_is_named_with_and_without_a_byte_order_mark() {
    for mark in ["", "\u{feff}"] {
        let wide = (mark.to_owned() + &table(10))
            .encode_utf16()
            .collect::<Vec<_>>();
        let little: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = wide.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for (bytes, encoding) in [(little, "UTF-16LE"), (big, "UTF-16BE")] {
            let error = FramingError::WideEncoding { encoding };
            assert_eq!(strict(&bytes), Err(error.clone()));
            // A cut makes no difference.
            assert_eq!(strict(&bytes[..21]), Err(error));
        }
    }
}

#[test]
fn no_message_about_what_the_bytes_are_says_that_they_were_cut_off() {
    let bodies: [&[u8]; 5] = [
        b"a,b\n1,2\n\x1a",
        b"a,b\n1,2\n\0\0",
        b"a\0,\0b\0\n\0",
        b"a,b\n1,2\nerror\n",
        b"a,b\n1,2\n{\"a\":1}",
    ];
    for body in bodies {
        let message = strict(body).unwrap_err().to_string();
        assert!(!message.contains("cut off"), "{message}");
    }
}

#[test]
fn an_endless_first_record_is_refused_however_it_is_cut() {
    let text = vec![b'x'; 1024 * 1024 + 1];
    for size in [1000, text.len()] {
        let mut framer = Framer::new(FramingRules::new());
        let result = text.chunks(size).try_for_each(|chunk| framer.update(chunk));
        assert_eq!(result, Err(FramingError::HeaderTooLong));
    }
    let long = "x".repeat(1024 * 1024 - 1) + "\n";
    assert_eq!(strict(&long), Ok(0));
    assert_eq!(
        strict("x".to_owned() + &long),
        Err(FramingError::HeaderTooLong)
    );
}

#[test]
fn short_texts_agree_with_the_csv_crate_in_every_cut() {
    let alphabet = b"\",\r\na";
    for length in 0..=4_u32 {
        for number in 0..5_usize.pow(length) {
            let digits = (0..length).map(|digit| number / 5_usize.pow(digit) % 5);
            let text: Vec<u8> = digits.map(|digit| alphabet[digit]).collect();
            let rules = FramingRules::new();
            let expected = oracle::expected(&text, rules);
            for cuts in 0..1_usize << length.saturating_sub(1) {
                let pieces = oracle::cut(&text, |at| cuts >> (at - 1) & 1 == 1);
                let found = oracle::found(&pieces, rules);
                assert_eq!(found, expected, "{:?} cut {cuts:b}", text.escape_ascii());
            }
        }
    }
}

/// Text that is hard on CSV readers, with enough in between to fill blocks of 64 bytes.
fn nasty() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => Just(b"\"".to_vec()),
        6 => Just(b",".to_vec()),
        4 => Just(b"\n".to_vec()),
        2 => Just(b"\r".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        4 => Just(b"a".to_vec()),
        1 => Just(b" ".to_vec()),
        1 => Just("é日".as_bytes().to_vec()),
        1 => Just(b"\xef\xbb\xbf".to_vec()),
        1 => prop::sample::select(b"\xef\xbb\xbf\xff\x1a".to_vec()).prop_map(|byte| vec![byte]),
        2 => (1..90_usize).prop_map(|length| vec![b'x'; length]),
        2 => Just(b"\na,\"b\"\"c\",5\" d\n".to_vec()),
    ];
    let head = prop::sample::select(vec!["", "a,b\n", "\u{feff}", "\u{feff}\"a\",b\r\n"]);
    let text = (head, prop::collection::vec(piece, 0..60))
        .prop_map(|(head, pieces)| [head.as_bytes(), &pieces.concat()].concat());
    (
        text,
        prop::option::weighted(0.1, any::<prop::sample::Index>()),
    )
        .prop_map(|(mut text, nul)| {
            if let Some(at) = nul {
                text.insert(at.index(text.len() + 1), 0);
            }
            text
        })
}

fn any_rules() -> impl Strategy<Value = FramingRules> {
    let ends = vec![FinalLineBreak::Required, FinalLineBreak::Optional];
    let ragged = vec![RaggedRecords::Refuse, RaggedRecords::Allow];
    (prop::sample::select(ends), prop::sample::select(ragged))
        .prop_map(|(end, ragged)| rules(end).with_ragged(ragged))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_agree_with_the_csv_crate_however_they_are_cut(
        text in nasty(),
        rules in any_rules(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        let pieces = oracle::cut(&text, |at| cuts.contains(&at));
        prop_assert_eq!(oracle::found(&pieces, rules), oracle::expected(&text, rules));
    }
}

proptest! {
    #[test]
    fn what_a_writer_writes_is_whole_and_no_cut_of_it_is_unless_it_ends_a_record(
        rows in prop::collection::vec(prop::collection::vec("[a-c,\"\n\r é]{0,8}", 3), 1..12),
        crlf in any::<bool>(),
        at in any::<prop::sample::Index>(),
    ) {
        prop_assume!(rows[0].iter().any(|name| !name.trim().is_empty()));
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        rows.iter().for_each(|row| writer.write_record(row).unwrap());
        let text = writer.into_inner().unwrap();
        let framing = frame(&text, FramingRules::new()).unwrap();
        prop_assert_eq!(framing.records as usize, rows.len() - 1);
        prop_assert_eq!(&framing.columns, &rows[0]);
        let cut = &text[..at.index(text.len())];
        if frame(cut, FramingRules::new()).is_ok() {
            prop_assert_eq!(cut.last(), Some(&b'\n'));
        }
    }
}
