//! File formats and encodings, by their first bytes.

/// Returns the encoding or file format that these bytes begin, unless they can be UTF-8 text.
pub(super) fn format_of(bytes: &[u8]) -> Option<&'static str> {
    unicode(bytes).or_else(|| binary(bytes))
}

/// Whether the first line has control characters that no header has, or the first bytes have some
/// and are not UTF-8 either, like compressed data.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    const SAMPLE: usize = 64;
    // Blanks do not count; ^Z and escape sequences can be in a text.
    let is_control = |byte: &u8| matches!(byte, 0..=8 | 0x0e..=0x19 | 0x1c..=0x1f);
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let is_cut = |error: std::str::Utf8Error| error.error_len().is_none();
    let is_utf8 = std::str::from_utf8(sample).map_or_else(is_cut, |_| true);
    lines.next().is_some_and(|line| line.iter().any(is_control))
        || (!is_utf8 && sample.iter().any(is_control))
}

/// Recognises text in a form of Unicode other than UTF-8.
fn unicode(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32 text"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16 text"),
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] if *a != 0 && *b != 0 => Some("UTF-16 text"),
        _ => None,
    }
}

/// Recognises a file format by its first bytes.
fn binary(bytes: &[u8]) -> Option<&'static str> {
    const FORMATS: [(&[u8], &str); 27] = [
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
        (b"%!PS-", "PostScript"),
        (b"{\\rtf", "RTF"),
        (b"-----BEGIN ", "PEM or PGP data"),
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
    // Magic numbers that are words must be followed by bytes that no text has.
    let is_word = magic.iter().all(u8::is_ascii_alphanumeric);
    let rest = &bytes[magic.len()..bytes.len().min(magic.len() + 16)];
    let is_binary = |byte: &u8| *byte >= 0x80 || (*byte < 0x20 && !b"\t\r\n".contains(byte));
    (!is_word || rest.iter().any(is_binary)).then_some(name)
}
