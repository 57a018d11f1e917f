//! Taking secrets out of text that somebody else wrote.

/// What stands where a secret was.
pub(crate) const MASK: &str = "[redacted]";

/// Shortens every URL in `text` to its scheme and host.
///
/// Servers echo URLs in error pages and details; a signed one is a credential. Everything from
/// the end of the host to the next white space, quote, bracket or angle bracket is masked, user
/// info too. Text without `://` comes back as it was.
///
/// ```
/// use tulip_core::redact_urls;
/// assert_eq!(
///     redact_urls("GET https://s3.amazon.com/a.csv?X-Amz-Signature=f25 failed"),
///     "GET https://s3.amazon.com/[redacted] failed",
/// );
/// ```
#[must_use]
pub fn redact_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
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
    out
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '<' | '>' | '`')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_without_a_url_is_unchanged() {
        assert_eq!(redact_urls("no such job: a/b?c=d"), "no such job: a/b?c=d");
    }

    #[test]
    fn user_info_path_and_query_are_masked() {
        assert_eq!(
            redact_urls("<a href='https://u:p@h.example:8443/x?sig=1#f'>, http://b"),
            "<a href='https://[redacted]@h.example:8443/[redacted]'>, http://b"
        );
        assert_eq!(redact_urls("https://h?sig=1"), "https://h/[redacted]");
        assert_eq!(redact_urls("see https://h/ now"), "see https://h/ now");
    }

    proptest! {
        #[test]
        fn a_signature_never_survives(
            prefix in any::<String>(),
            path in "[a-zA-Z0-9/._%-]{0,30}",
            suffix in "([ \"<].*)?",
        ) {
            let secret = "c0ffee5ec2e7";
            let text = format!("{prefix}https://h.example/{path}?X-Amz-Signature={secret}{suffix}");
            prop_assert!(!redact_urls(&text).contains(secret), "{}", redact_urls(&text));
        }
    }
}
