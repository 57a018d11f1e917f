//! The media types that a CSV archive can have.

/// Whether a CSV can have this `Content-Type`. Hosts use many for it, and a value that is not a
/// media type says nothing.
pub(crate) fn is_tolerable(content_type: Option<&[u8]>) -> bool {
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

/// Returns `type/subtype` in lower case, or `None` if it is not a media type.
pub(super) fn essence(content_type: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content_type).ok()?;
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    let token = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(plain)
    };
    (token(kind) && token(subtype)).then(|| essence.clone())
}
