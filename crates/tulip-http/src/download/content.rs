//! Whether what a host sends can be a CSV archive at all. Hosts and what stands before them send
//! errors, sign-in pages and compressed files as 200 too. What looks like a line of text is left
//! to whoever reads the CSV.

use serde::de::IgnoredAny;
use serde_json::Value;
use tulip_core::one_line;

use crate::transport::{code_of_xml, title_of};

/// As many first bytes as are looked at.
pub(super) const MOST: usize = 8 * 1024;

/// With this many first bytes, or a whole line, what is no text at all is known.
const ENOUGH: usize = 64;

/// The most that is shown of a foreign title or code.
const MAX_SHOWN: usize = 100;

/// Something that is no CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotCsv {
    /// What it is, on one line: "gzip", "an XML error, code SlowDown".
    pub(super) what: String,
    /// It stands for a failure that passes, such as a store's `SlowDown`.
    pub(super) is_transient: bool,
}

/// What the first bytes tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// It can be a CSV.
    Csv,
    NotCsv(NotCsv),
    /// More bytes are needed.
    Unclear,
}

/// Looks at the first bytes of a body; `is_all` where no more are to be had.
pub(super) fn look_at(bytes: &[u8], is_all: bool) -> Finding {
    let is_all = is_all || bytes.len() >= MOST;
    if let Some(name) = unicode(bytes).or_else(|| binary(bytes)) {
        return Finding::NotCsv(NotCsv::passive(name));
    }
    let is_enough = bytes.len() >= ENOUGH || bytes.contains(&b'\n');
    if !is_all && !is_enough {
        return Finding::Unclear;
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = text.trim_ascii_start();
    match text.first() {
        None if !is_all => Finding::Unclear,
        Some(b'<') => match markup(text) {
            Some(_) if !is_all && !is_markup_told(text) => Finding::Unclear,
            Some(found) => Finding::NotCsv(found),
            None => Finding::Csv,
        },
        Some(b'{' | b'[') => match json(text, is_all) {
            Some(found) => found,
            None => Finding::Csv,
        },
        _ if has_nul(bytes) => Finding::NotCsv(NotCsv::passive("binary data")),
        _ => Finding::Csv,
    }
}

/// Whether a CSV can have this `Content-Type`. Hosts call it many things, and what is no media type
/// at all says nothing.
pub(super) fn is_tolerable(content_type: Option<&[u8]>) -> bool {
    let Some(essence) = content_type.and_then(essence) else {
        return true;
    };
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    let is_structured = ["xml", "json", "html", "zip", "gzip", "yaml"]
        .iter()
        .any(|format| {
            let rest = subtype.strip_suffix(format);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(['+', '-', '.']))
        });
    let is_archive = matches!(
        subtype,
        "pdf"
            | "x-bzip2"
            | "x-bzip"
            | "zstd"
            | "x-xz"
            | "x-7z-compressed"
            | "x-tar"
            | "x-gtar"
            | "x-compressed"
            | "x-zip-compressed"
            | "vnd.apache.parquet"
            | "x-parquet"
            | "javascript"
            | "x-javascript"
            | "x-ndjson"
            | "jsonl"
            | "json-seq"
            | "problem"
            | "vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    );
    !(is_structured
        || is_archive
        || matches!(kind, "image" | "audio" | "video" | "font" | "message"))
}

/// What a body is whose `Content-Type` no CSV has.
pub(super) fn describe(content_type: Option<&[u8]>, bytes: &[u8]) -> NotCsv {
    if let Finding::NotCsv(found) = look_at(bytes, true) {
        return found;
    }
    let named = content_type.and_then(essence).unwrap_or_default();
    let what = format!("its type is {}", one_line(&named, MAX_SHOWN));
    NotCsv::passive(&what)
}

impl NotCsv {
    /// Something that stands for no failure.
    fn passive(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            is_transient: false,
        }
    }
}

/// `type/subtype` in lower case, where it is a media type.
fn essence(content_type: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content_type).ok()?;
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    let token = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(plain)
    };
    (token(kind) && token(subtype)).then(|| essence.clone())
}

/// Text in another form of Unicode than UTF-8.
fn unicode(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32 text"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16 text"),
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] if *a != 0 && *b != 0 => Some("UTF-16 text"),
        _ => None,
    }
}

/// A file format, by the bytes that it begins with.
fn binary(bytes: &[u8]) -> Option<&'static str> {
    const FORMATS: [(&[u8], &str); 24] = [
        (b"\x1f\x8b", "gzip"),
        (b"PK\x03\x04", "zip"),
        (b"PK\x05\x06", "zip"),
        (b"PK\x07\x08", "zip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"\x1f\x9d", "compress"),
        (b"Rar!\x1a\x07", "rar"),
        (b"%PDF-", "PDF"),
        (b"\x89PNG", "PNG"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"GIF87a", "GIF"),
        (b"GIF89a", "GIF"),
        (b"PAR1", "Parquet"),
        (b"ORC", "ORC"),
        (b"Obj\x01", "Avro"),
        (b"ARROW1", "Arrow"),
        (b"SQLite format 3\x00", "SQLite"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "an old Microsoft Office file",
        ),
        (b"\x7fELF", "an ELF program"),
        (b"MZ\x90\x00", "a Windows program"),
    ];
    let (magic, name) = FORMATS.iter().find(|(magic, _)| bytes.starts_with(magic))?;
    // Magic numbers that are words are followed by what no text has.
    let is_word = magic.iter().all(u8::is_ascii_alphanumeric);
    let rest = &bytes[magic.len()..bytes.len().min(magic.len() + 16)];
    let is_binary = |byte: &u8| *byte >= 0x80 || (*byte < 0x20 && !b"\t\r\n".contains(byte));
    (!is_word || rest.iter().any(is_binary)).then_some(name)
}

/// NULs in the first line.
fn has_nul(bytes: &[u8]) -> bool {
    let mut first_line = bytes.split(|byte| *byte == b'\n');
    first_line.next().is_some_and(|line| line.contains(&0))
}

/// HTML or XML. A header that begins with `<` and another character than a name's is neither.
fn markup(text: &[u8]) -> Option<NotCsv> {
    let is_markup = matches!(
        text.get(1),
        Some(b'!' | b'?' | b'/' | b'a'..=b'z' | b'A'..=b'Z')
    );
    if !is_markup {
        return None;
    }
    let text = String::from_utf8_lossy(text);
    let lower = text.to_ascii_lowercase();
    if let Some(code) = code_of_xml(&text) {
        return Some(NotCsv {
            what: format!("an XML error, code {code}"),
            is_transient: is_transient_code(code),
        });
    }
    let is_html = ["<!doctype html", "<html", "<head", "<body", "<title"];
    if !is_html.iter().any(|tag| lower.contains(tag)) {
        return Some(NotCsv::passive("an XML document"));
    }
    let title = title_of(&text).map(|title| one_line(title, MAX_SHOWN));
    Some(match title.filter(|title| !title.is_empty()) {
        Some(title) => NotCsv {
            what: format!("an HTML page titled {title:?}"),
            is_transient: is_transient_title(&title),
        },
        None => NotCsv::passive("an HTML page"),
    })
}

/// Whether the part of a document that names it is there.
fn is_markup_told(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    code_of_xml(&text).is_some() || title_of(&text).is_some()
}

/// JSON, or nothing where a header begins like it: `[Zone],State`.
fn json(text: &[u8], is_all: bool) -> Option<Finding> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next()? {
        Ok(_) => {
            let end = values.byte_offset();
            let after = text[end..].iter().find(|byte| !b" \t\r".contains(byte));
            match after {
                None if !is_all => Some(Finding::Unclear),
                None | Some(b'\n') => Some(Finding::NotCsv(json_document(&text[..end]))),
                Some(_) => None,
            }
        }
        // It is cut off here, or goes on.
        Err(error) if error.is_eof() && is_all => Some(Finding::NotCsv(json_document(text))),
        Err(error) if error.is_eof() => Some(Finding::Unclear),
        Err(_) => None,
    }
}

/// What a JSON document says of itself.
fn json_document(document: &[u8]) -> NotCsv {
    let Ok(value) = serde_json::from_slice::<Value>(document) else {
        return NotCsv::passive("JSON");
    };
    let error = value.get("error").filter(|error| error.is_object());
    let fields = error.unwrap_or(&value);
    for name in ["errorCode", "code", "Code", "status", "statusCode", "error"] {
        let code = match fields.get(name) {
            Some(Value::String(text)) if !text.is_empty() => one_line(text, MAX_SHOWN),
            Some(Value::Number(number)) => number.to_string(),
            _ => continue,
        };
        return NotCsv {
            what: format!("a JSON error, {name} {code}"),
            is_transient: is_transient_code(&code),
        };
    }
    NotCsv::passive("JSON")
}

/// Codes of stores and gateways that stand for 429 or 5xx.
fn is_transient_code(code: &str) -> bool {
    const CODES: [&str; 17] = [
        "slowdown",
        "internal",
        "internalerror",
        "internalservererror",
        "backenderror",
        "serviceunavailable",
        "unavailable",
        "serverbusy",
        "operationtimedout",
        "requesttimeout",
        "timeout",
        "gatewaytimeout",
        "badgateway",
        "toomanyrequests",
        "throttling",
        "throttlingexception",
        "requestlimitexceeded",
    ];
    let code = code.to_ascii_lowercase();
    match code.parse::<u16>() {
        Ok(status) => is_transient_status(status),
        Err(_) => CODES.contains(&code.as_str()),
    }
}

/// Titles as servers write them: "503 Service Temporarily Unavailable", "Error 502 (Bad Gateway)".
fn is_transient_title(title: &str) -> bool {
    let mut words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let is_status = |word: &str| word.len() == 3 && word.parse().is_ok_and(is_transient_status);
    let lower = title.to_ascii_lowercase();
    let says = [
        "service unavailable",
        "temporarily unavailable",
        "bad gateway",
    ];
    words.any(is_status) || says.iter().any(|text| lower.contains(text))
}

fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502..=504 | 520..=529)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        ] {
            assert_eq!(not_csv(text.as_bytes()), None, "{text:?}");
        }
        let long = format!("[{}],State\n", "x".repeat(2 * MOST));
        assert_eq!(not_csv(long.as_bytes()), None);
    }

    #[test]
    fn what_cannot_be_a_csv_is_named_and_what_passes_is_known() {
        let xml =
            |code: &str| format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>\n");
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

        /// What is found does not depend on how many of the bytes came first.
        #[test]
        fn a_finding_stays(text in "[<{\\[Sa\",:}\\]\n]{1,40}", cut in 0..40_usize) {
            let first = &text.as_bytes()[..cut.min(text.len())];
            if let Finding::NotCsv(_) = look_at(first, false) {
                prop_assert!(matches!(look_at(text.as_bytes(), true), Finding::NotCsv(_)));
            }
        }
    }
}
