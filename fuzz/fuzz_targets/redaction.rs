//! Text from servers, which is shown without the credentials that it may echo.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tulip_core::{one_line, redact_urls};
use tulip_fuzz::{MASK, SECRET, assert_hidden, assert_no_control, holds_secret};

fuzz_target!(|text: &str| {
    check(text);
    if holds_secret(text) {
        return;
    }
    // Signed URLs with and without a host, with escaped slashes, and with user info: after the
    // text, before it, and between its halves.
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle += 1;
    }
    let (left, right) = text.split_at(middle);
    let forms = [
        format!("https://h.example/a.csv?X-Amz-Signature={SECRET}"),
        format!(r"https:\/\/h.example\/a.csv?X-Amz-Signature={SECRET}"),
        format!("https://h.example/{SECRET}?{SECRET}#{SECRET}"),
        format!("https://{SECRET}:{SECRET}@h.example/"),
        format!("/a.csv?X-Amz-Signature={SECRET}&x=1"),
        format!("/a.csv?x=1&x-goog-signature={SECRET}"),
        format!("/a.csv?sv=1&sig={SECRET}"),
        format!("AWSAccessKeyId={SECRET}&Signature={SECRET}"),
    ];
    // One form for each input, or all the time would go into this.
    let signed = &forms[text.len() % forms.len()];
    for text in [
        format!("{text}{signed}"),
        format!("{text} {signed}"),
        format!("{signed} {text}"),
        format!("{left} {signed} {right}"),
    ] {
        assert_hidden(&redact_urls(&text));
        assert_hidden(&one_line(&text, usize::MAX));
    }
});

fn check(text: &str) {
    let masked = redact_urls(text);
    assert_eq!(redact_urls(&masked), masked);
    assert_signatures_masked(&masked);
    if !text.contains("://") && !text.contains(r":\/\/") && !text.contains('=') {
        assert_eq!(masked, text);
    }
    for limit in [0, 1, 20, usize::MAX] {
        let line = one_line(text, limit);
        assert_no_control(&line);
        let length = line.chars().count();
        // The ellipsis of a cut can fall into a masked part.
        if length <= limit {
            assert_eq!(one_line(&line, limit), line);
        }
        assert!(length <= limit.saturating_add(1), "{line:?}");
        assert!(length <= limit || line.ends_with('…'), "{line:?}");
        if limit == usize::MAX {
            assert_signatures_masked(&line);
        }
    }
}

/// Checks that no signing parameter has a value, wherever it is.
fn assert_signatures_masked(shown: &str) {
    let lower = shown.to_ascii_lowercase();
    for name in ["x-amz-signature=", "x-goog-signature=", "sig=", "token="] {
        for (at, _) in lower.match_indices(name) {
            let value = &shown[at + name.len()..];
            assert!(value.starts_with(MASK), "{name} has a value: {shown:?}");
        }
    }
}
