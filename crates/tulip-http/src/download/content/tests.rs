use proptest::prelude::*;

use super::media_type::is_tolerable;
use super::*;

fn not_csv(bytes: &[u8]) -> Option<(String, bool)> {
    match look_at(bytes, true) {
        Finding::NotCsv(found) => Some((found.what, found.is_transient)),
        Finding::Csv => None,
        Finding::Unclear => panic!("all is there"),
    }
}

#[test]
fn what_can_be_a_csv_is_one() {
    for text in [
        "State,Start Time\r\nRunning,1\r\n",
        "State\n",
        "State",
        "",
        " \n",
        "\u{feff}State\n",
        "\u{feff}",
        "[Zone],State\na,b\n",
        "[1],State\n",
        "{id},name\n",
        "{\"id\"},name\n",
        "<5 min,State\n",
        "\"<b>\",x\n",
        "< 5,State\n",
        "PAR1,State\nDown,1\n",
        "ORC line,State\n",
        "BZh,State\n",
        "ARROW1\n",
        "Störung,État\n",
        "__exception__ Code: 395\n",
        "--,State\n1,2\n",
        "-----,State\n",
        "\u{1b}[0mState,Reason\n",
    ] {
        assert_eq!(not_csv(text.as_bytes()), None, "{text:?}");
    }
    let long = format!("[{}],State\n", "x".repeat(2 * MOST));
    assert_eq!(not_csv(long.as_bytes()), None);
}

#[test]
fn what_cannot_be_a_csv_is_named_and_what_passes_is_known() {
    let xml = |code: &str| format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>\n");
    let html = |title: &str| format!("<!DOCTYPE html>\n<html><title>{title}</title></html>\n");
    for (text, what, passes) in [
        (xml("SlowDown"), "an XML error, code SlowDown", true),
        (
            xml("InternalError"),
            "an XML error, code InternalError",
            true,
        ),
        (xml("NoSuchKey"), "an XML error, code NoSuchKey", false),
        ("\u{feff} \n<a/>\n".to_owned(), "an XML document", false),
        (html("Sign in"), "an HTML page titled \"Sign in\"", false),
        (
            html("503 Service Temporarily Unavailable"),
            "an HTML page titled \"503 Service Temporarily Unavailable\"",
            true,
        ),
        (
            html("Error 502 (Bad Gateway)!!1"),
            "an HTML page titled \"Error 502 (Bad Gateway)!!1\"",
            true,
        ),
        (
            html("500 machines"),
            "an HTML page titled \"500 machines\"",
            true,
        ),
        ("<html>".to_owned(), "an HTML page", false),
        (
            r#"{"errorCode":"Internal","details":"x"}"#.to_owned() + "\n",
            "a JSON error, errorCode Internal",
            true,
        ),
        (
            r#"{"errorCode":"Forbidden"}"#.to_owned(),
            "a JSON error, errorCode Forbidden",
            false,
        ),
        (
            r#"{"error":{"code":503}}"#.to_owned(),
            "a JSON error, code 503",
            true,
        ),
        (
            r#"{"status":403}"#.to_owned(),
            "a JSON error, status 403",
            false,
        ),
        ("{\"a\":1}\n{\"a\":2}\n".to_owned(), "JSON", false),
        ("[\"a\",\"b\"]\n[1,2]\n".to_owned(), "JSON", false),
        ("{\"a\":\"cut".to_owned(), "JSON", false),
        ("{\"a\": \"two\nlines\"}\n".to_owned(), "JSON", false),
        ("{'error': 'timeout'}\n".to_owned(), "JSON", false),
        ("{\"a\":1},State\n".to_owned(), "JSON", false),
        ("\u{a0}\u{feff}<a/>\n".to_owned(), "an XML document", false),
        (
            "--B\r\nContent-Type: text/csv\r\n\r\nState\n--B--\n".to_owned(),
            "a multipart body",
            false,
        ),
        ("[]".to_owned(), "JSON", false),
    ] {
        let found = not_csv(text.as_bytes());
        assert_eq!(found, Some((what.to_owned(), passes)), "{text:?}");
    }
}

#[test]
fn files_and_other_encodings_are_named() {
    let utf16 = |text: &str, little: bool| -> Vec<u8> {
        let units = text.encode_utf16();
        let bytes = units.map(|unit| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        });
        bytes.flatten().collect()
    };
    for (bytes, what) in [
        (b"\x1f\x8b\x08\x00".to_vec(), "gzip"),
        (b"PK\x03\x04\x14".to_vec(), "zip"),
        (b"\x28\xb5\x2f\xfd".to_vec(), "zstd"),
        (b"BZh91AY&SY\x01\x02".to_vec(), "bzip2"),
        (b"\xfd7zXZ\x00".to_vec(), "xz"),
        (b"7z\xbc\xaf\x27\x1c".to_vec(), "7z"),
        (b"%PDF-1.7\n".to_vec(), "PDF"),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "PNG"),
        (b"\xff\xd8\xff\xe0".to_vec(), "JPEG"),
        (b"GIF89a\x01\x00\x01\x00".to_vec(), "GIF"),
        (b"PAR1\x15\x04\x15".to_vec(), "Parquet"),
        (utf16("\u{feff}State\n", true), "UTF-16 text"),
        (utf16("\u{feff}State\n", false), "UTF-16 text"),
        (utf16("State\n", true), "UTF-16 text"),
        (utf16("State\n", false), "UTF-16 text"),
        (b"\xff\xfe\x00\x00S\x00\x00\x00".to_vec(), "UTF-32 text"),
        (b"\x00\x00\xfe\xff".to_vec(), "UTF-32 text"),
        (b"\x00\x00\x00\x00".to_vec(), "binary data"),
        (b"State\x00,\n".to_vec(), "binary data"),
        (b"x\x9c\x4b\x01\n".to_vec(), "binary data"),
        (b"\xab\n\xcd\x01\n".to_vec(), "binary data"),
        (b"%!PS-Adobe-3.0\n".to_vec(), "PostScript"),
        (b"{\\rtf1\\ansi\n".to_vec(), "RTF"),
        (b"-----BEGIN PGP MESSAGE-----\n".to_vec(), "PEM or PGP data"),
    ] {
        assert_eq!(not_csv(&bytes), Some((what.to_owned(), false)), "{bytes:?}");
    }
}

#[test]
fn foreign_text_is_shown_on_one_line() {
    let page = "<html><title>\u{1b}[31mred\nERROR https://h/?sig=5ig</title>";
    let (what, _) = not_csv(page.as_bytes()).unwrap();
    assert!(
        !what.contains(['\u{1b}', '\n']) && !what.contains("5ig"),
        "{what}"
    );
}

#[test]
fn media_types_that_no_csv_has_are_known() {
    for tolerable in [
        "text/csv",
        "Text/CSV; charset=utf-8; header=present",
        "text/plain",
        "application/octet-stream",
        "binary/octet-stream",
        "application/csv",
        "application/vnd.ms-excel",
        "text/comma-separated-values",
        "text/x-csv",
        "application/x-download",
        "multipart/byteranges",
        "csv",
        "",
        "\u{1}/;",
    ] {
        assert!(is_tolerable(Some(tolerable.as_bytes())), "{tolerable}");
    }
    assert!(is_tolerable(None) && is_tolerable(Some(b"\xff/\xfe")));
    for refused in [
        "text/html; charset=utf-8",
        "application/xhtml+xml",
        "application/xml",
        "text/xml",
        "application/atom+xml",
        "application/json",
        "application/problem+json",
        "application/x-ndjson",
        "application/zip",
        "application/gzip",
        "application/x-gzip",
        "application/x-zip-compressed",
        "application/pdf",
        "image/png",
        "video/mp4",
    ] {
        assert!(!is_tolerable(Some(refused.as_bytes())), "{refused}");
    }
    let found = describe(Some(b"application/pdf"), b"State\n");
    assert_eq!(found.what, "its type is application/pdf");
    let page = b"<html><title>Sign in</title>";
    assert_eq!(
        describe(Some(b"text/html"), page).what,
        "an HTML page titled \"Sign in\""
    );
}

#[test]
fn no_more_is_waited_for_than_is_needed() {
    assert_eq!(look_at(b"State,Start\n", false), Finding::Csv);
    assert_eq!(look_at(b"Sta", false), Finding::Unclear);
    assert_eq!(look_at(&[b'x'; ENOUGH], false), Finding::Csv);
    assert_eq!(look_at(b"\n", false), Finding::Unclear);
    assert_eq!(look_at(b"<html>\n", false), Finding::Unclear);
    assert_eq!(look_at(b"{\"errorCode\":\n", false), Finding::Unclear);
}

proptest! {
    #[test]
    fn any_bytes_are_looked_at_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        text in "[\u{feff} <>{}\\[\\]\",:a-z0-9\n]{0,40}",
        is_all in any::<bool>(),
    ) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let found = look_at(bytes, is_all);
            prop_assert!(!is_all || found != Finding::Unclear);
            let _ = describe(Some(bytes), bytes);
            let _ = is_tolerable(Some(bytes));
        }
    }

    /// A finding on the first bytes holds for all of them.
    #[test]
    fn a_finding_stays(text in "[<{\\[Sa\",:}\\]\n]{1,40}", cut in 0..40_usize) {
        let first = &text.as_bytes()[..cut.min(text.len())];
        if let Finding::NotCsv(_) = look_at(first, false) {
            prop_assert!(matches!(look_at(text.as_bytes(), true), Finding::NotCsv(_)));
        }
    }
}

/// A first chunk can be a whole archive, and is inspected before any byte is passed on.
#[test]
fn only_the_first_bytes_are_inspected() {
    let with_control_at = |at| [&vec![b'a'; at][..], b"\x01,b\n"].concat();
    assert_eq!(not_csv(&with_control_at(MOST)), None);
    assert_eq!(
        not_csv(&with_control_at(MOST - 1)).unwrap().0,
        "binary data"
    );
}
