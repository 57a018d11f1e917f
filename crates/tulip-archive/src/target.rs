//! Where archives go, as people write it.

use tulip_core::sink::{SinkUrl, SinkUrlError};

/// Reads a target: a URL (`file:///data`, `s3://lake/tulip`), or else a path (`./out`, `/data`),
/// which is taken relative to the current directory.
///
/// ```
/// use tulip_archive::parse_target;
/// assert_eq!(parse_target("/data/tulip")?.to_string(), "file:///data/tulip");
/// assert_eq!(parse_target("s3://lake/tulip")?.scheme(), "s3");
/// # Ok::<(), tulip_archive::core::sink::SinkUrlError>(())
/// ```
///
/// # Errors
/// [`SinkUrlError`] when the text is empty, not a usable URL, looks like a URL without its slashes
/// (`s3:lake`), or the current directory is gone.
pub fn parse_target(text: &str) -> Result<SinkUrl, SinkUrlError> {
    let text = text.trim();
    if text.is_empty() || text.contains("://") || text.starts_with("file:") {
        return SinkUrl::parse(text);
    }
    if let Some(scheme) = bare_scheme(text) {
        return Err(SinkUrlError::NotAUrl {
            reason: format!("{scheme}: is not followed by //"),
        });
    }
    let path =
        std::path::absolute(text).map_err(|_| SinkUrlError::NotAbsolute { path: text.into() })?;
    SinkUrl::from_path(&path)
}

/// `s3` of `s3:lake/x`, which is more likely a URL than a path. A single letter is a drive.
fn bare_scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (scheme.len() > 1 && scheme.bytes().all(plain)).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_told_apart() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            parse_target("./out").unwrap().to_file_path().unwrap(),
            here.join("out")
        );
        assert_eq!(
            parse_target("a:b").unwrap().to_file_path().unwrap(),
            here.join("a:b")
        );
        assert_eq!(
            parse_target("file:///d")
                .unwrap()
                .to_file_path()
                .unwrap()
                .to_str(),
            Some("/d")
        );
        assert_eq!(parse_target("mine://x/y").unwrap().scheme(), "mine");
        assert_eq!(parse_target(" "), Err(SinkUrlError::Empty));
        let message = parse_target("s3:lake/x").unwrap_err().to_string();
        assert!(message.contains("s3: is not followed by //"), "{message}");
        assert!(parse_target("./s3:lake/x").is_ok());
    }
}
