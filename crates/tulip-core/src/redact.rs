//! Removal of secrets from foreign text.

/// The replacement for a secret.
pub(crate) const MASK: &str = "[redacted]";

/// Shortens every URL in `text` to its scheme and host, and masks the values of signature
/// parameters wherever they occur.
///
/// Servers echo URLs in error pages and details, and a signed URL is a credential. Everything from
/// the end of the host to the next white space, control character, double quote or angle bracket is
/// masked, and so is user info: better too much than a leaked signature. Slashes may be escaped, as
/// in JSON inside JSON.
///
/// ```
/// use tulip_core::redact_urls;
/// assert_eq!(
///     redact_urls("GET https://s3.amazon.com/a.csv?X-Amz-Signature=f25 failed"),
///     "GET https://s3.amazon.com/[redacted] failed",
/// );
/// assert_eq!(redact_urls("/a.csv?sig=f25&x=1"), "/a.csv?sig=[redacted]&x=1");
/// ```
#[must_use]
pub fn redact_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = url_start(rest) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let end = after.find(ends_url).unwrap_or(after.len());
        let (url, tail) = after.split_at(end);
        let host_end = url.find(['/', '?', '#', '\\']).unwrap_or(url.len());
        let (authority, path) = url.split_at(host_end);
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                out.push_str(MASK);
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        if !path.is_empty() {
            out.push('/');
            if path != "/" {
                out.push_str(MASK);
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    redact_parameters(&out)
}

/// Returns the offset of the first URL's host, or of its user info if it has any.
fn url_start(text: &str) -> Option<usize> {
    text.match_indices(':').find_map(|(at, _)| {
        ["://", ":\\/\\/"]
            .iter()
            .find(|start| text[at..].starts_with(**start))
            .map(|start| at + start.len())
    })
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>')
}

/// Prefixes and suffixes, in lower case, of the names of query parameters that sign a URL or are
/// part of its signature, for S3, GCS, Azure and others.
const SIGNING_BEGINNINGS: [&str; 2] = ["x-amz-", "x-goog-"];
const SIGNING_ENDS: [&str; 4] = ["sig", "signature", "token", "awsaccesskeyid"];

/// `=` and `&`, as they are and as they appear in a URL that is a parameter of another one, encoded
/// once or twice.
const SEPARATORS: [(&str, &str); 3] = [("=", "&"), ("%3d", "%26"), ("%253d", "%2526")];

/// Masks the value of every signing parameter, whether or not its URL has a host.
fn redact_parameters(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some((at, (equals, and))) = next_separator(&lower, from) {
        let name = lower[from..at].rsplit(ends_url).next().unwrap_or("");
        let value = at + equals.len();
        out.push_str(&text[from..value]);
        from = value;
        if SIGNING_BEGINNINGS.iter().any(|part| name.contains(part))
            || SIGNING_ENDS.iter().any(|part| name.ends_with(part))
        {
            out.push_str(MASK);
            let ends = |c| ends_url(c) || matches!(c, '&' | ';' | ',' | ')');
            let rest = &lower[value..];
            let value_and_more = &rest[..rest.find(ends).unwrap_or(rest.len())];
            from = value + value_and_more.find(and).unwrap_or(value_and_more.len());
        }
    }
    out.push_str(&text[from..]);
    out
}

/// Returns the offset of the first `=` at or after `from`, plain or encoded, and its separators.
fn next_separator(lower: &str, from: usize) -> Option<(usize, (&str, &str))> {
    lower[from..].match_indices(['=', '%']).find_map(|(at, _)| {
        let at = from + at;
        let is_here = |(equals, _): &&(&str, &str)| lower[at..].starts_with(equals);
        SEPARATORS.iter().find(is_here).map(|found| (at, *found))
    })
}

/// Makes foreign text safe to show and log: on one line, with its URLs [masked](redact_urls),
/// without control characters, and cut to `limit` characters plus an ellipsis.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    // Control characters go first: they would end a URL or split a parameter's name, and the
    // unmasked secret would be shown without them.
    let text: String = text
        .chars()
        .filter(|c| c.is_whitespace() || !c.is_control())
        .collect();
    let line = redact_urls(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut characters = line.chars();
    let mut kept: String = characters.by_ref().take(limit).collect();
    if characters.next().is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_signed_url_within_a_url_is_masked() {
        assert_eq!(
            redact_urls("GET /in?next=%2Fa%3FX-Amz-Signature%3D5ig%26x%3D1 failed"),
            "GET /in?next=%2Fa%3FX-Amz-Signature%3D[redacted]%26x%3D1 failed"
        );
        assert_eq!(
            redact_urls("/in?a=%252Fa%253Fsig%253D5ig%2526b&c=d"),
            "/in?a=%252Fa%253Fsig%253D[redacted]%2526b&c=d"
        );
        // A value may contain such a sequence.
        assert_eq!(redact_urls("/a?sig=5%26ig%3D&b=c"), "/a?sig=[redacted]&b=c");
    }

    #[test]
    fn text_without_a_url_is_unchanged() {
        assert_eq!(redact_urls("no such job: a/b?c=d"), "no such job: a/b?c=d");
    }

    #[test]
    fn user_info_path_and_query_are_masked() {
        assert_eq!(
            redact_urls("<a href='https://u:p@h.example:8443/x?sig=1#f'>, http://b"),
            "<a href='https://[redacted]@h.example:8443/[redacted]>, http://b"
        );
        assert_eq!(redact_urls("https://h?sig=1"), "https://h/[redacted]");
        assert_eq!(redact_urls("see https://h/ now"), "see https://h/ now");
    }

    #[test]
    fn escaped_slashes_and_urls_without_a_host_are_masked() {
        assert_eq!(
            redact_urls(r"at https:\/\/h\/a?sig=5ig now"),
            r"at https:\/\/h/[redacted] now"
        );
        assert_eq!(
            redact_urls("/a?X-Amz-Credential=AK%2F1&x=1&X-Amz-Signature=5ig, X-Amz- = y"),
            "/a?X-Amz-Credential=[redacted]&x=1&X-Amz-Signature=[redacted], X-Amz- = y"
        );
    }

    #[test]
    fn a_name_without_a_value_does_not_hide_a_signature_behind_it() {
        assert_eq!(
            redact_urls("X-Amz-Date is missing in /a?X-Amz-Signature=5ig"),
            "X-Amz-Date is missing in /a?X-Amz-Signature=[redacted]"
        );
        assert_eq!(
            redact_urls("x-goog-date; token=5ig"),
            "x-goog-date; token=[redacted]"
        );
    }

    #[test]
    fn control_characters_do_not_hide_a_signature() {
        assert_eq!(
            one_line("/a?X-Amz-Sig\0nature=5ig https://h\u{7}/5ig", 99),
            "/a?X-Amz-Signature=[redacted] https://h/[redacted]"
        );
    }

    #[test]
    fn a_text_full_of_urls_is_read_once() {
        // If it were scanned again for each URL, this would take hours.
        let text = "://a/b ".repeat(300_000);
        assert_eq!(one_line(&text, 15), "://a/[redacted]…");
    }

    #[test]
    fn a_line_is_short_and_has_no_control_characters() {
        assert_eq!(one_line("a\n\tb  c\u{7}\u{1b}[2J", 20), "a b c[2J");
        assert_eq!(one_line(&"é".repeat(30), 20).chars().count(), 21);
        assert_eq!(one_line("ééé", 3), "ééé");
    }

    proptest! {
        #[test]
        fn any_text_is_masked_without_panic(text in ".*", more in "(X-Amz-|sig=|://|[é&= ]){0,9}") {
            let _ = redact_urls(&text);
            let _ = redact_urls(&more);
        }

        #[test]
        fn a_signature_never_survives(
            prefix in any::<String>(),
            path in "[a-zA-Z0-9/._%'`()!*,;&=-]{0,30}",
            suffix in "([ \"<].*)?",
        ) {
            let secret = "c0ffee5ec2e7";
            let text = format!("{prefix}https://h.example/{path}?X-Amz-Signature={secret}{suffix}");
            prop_assert!(!redact_urls(&text).contains(secret), "{}", redact_urls(&text));
        }
    }
}
