//! The target of archives, as a path or a URL.

use std::path::{Component, Path, PathBuf};

use tulip_core::sink::{SinkUrl, SinkUrlError};

/// Parses a target: a URL (`file:///data`, `s3://lake/tulip`), or else a path (`./out`, `/data`),
/// which is relative to the current directory. As in shell tools, `..` after a symbolic link is the
/// parent of the folder that the link points to. In a path every character stands for itself; in a
/// URL `?` begins the options, and `%3F` is a `?`.
///
/// ```
/// use tulip_archive::parse_target;
/// assert_eq!(parse_target("/data/tulip")?.to_string(), "file:///data/tulip");
/// assert_eq!(parse_target("s3://lake/tulip")?.scheme(), "s3");
/// # Ok::<(), tulip_archive::core::sink::SinkUrlError>(())
/// ```
///
/// # Errors
/// [`SinkUrlError`] if the text is empty, is not a usable URL, looks like a URL without its slashes
/// (`s3:lake`), or the current directory is gone.
pub fn parse_target(text: &str) -> Result<SinkUrl, SinkUrlError> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.contains("://") || trimmed.starts_with("file:/") {
        return SinkUrl::parse(trimmed);
    }
    if let Some(scheme) = bare_scheme(trimmed) {
        return Err(SinkUrlError::NotAUrl {
            reason: format!("{scheme}: is not followed by //"),
        });
    }
    let path =
        std::path::absolute(text).map_err(|_| SinkUrlError::NotAbsolute { path: text.into() })?;
    SinkUrl::from_path(&without_dots(&path))
}

/// Resolves `..` in an absolute path. If a folder does not exist, its parent is the one in the
/// path.
fn without_dots(path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                if let Ok(canonical) = real.canonicalize() {
                    real = canonical;
                }
                real.pop();
            }
            Component::CurDir => {}
            other => real.push(other),
        }
    }
    real
}

/// Returns `s3` of `s3:lake/x`, which is more likely a URL than a path. A single letter is a drive.
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
        // As a URL it would be /rel.
        let message = parse_target("file:rel").unwrap_err().to_string();
        assert!(message.contains("file: is not followed by //"), "{message}");
        assert!(parse_target("./s3:lake/x").is_ok());
    }

    fn path(text: &str) -> PathBuf {
        parse_target(text).unwrap().to_file_path().unwrap()
    }

    #[test]
    fn a_path_is_taken_literally_and_a_url_is_not() {
        for name in [
            "/data/a?b",
            "/data/what?.d",
            "/d/a#b",
            "/d/100%",
            "/d/%3F",
            "/d/a b ",
        ] {
            let url = parse_target(name).unwrap();
            assert_eq!(url.to_file_path().as_deref(), Some(Path::new(name)));
            assert_eq!(url.options().count(), 0, "{name}");
            // A path survives being saved and read again.
            let again = SinkUrl::parse(url.expose().as_str()).unwrap();
            assert_eq!(again.to_file_path().as_deref(), Some(Path::new(name)));
        }
        let url = parse_target("file:///data/a?memory=2MiB").unwrap();
        assert_eq!(url.to_file_path().as_deref(), Some(Path::new("/data/a")));
        assert_eq!(url.option("memory").as_deref(), Some("2MiB"));
        assert_eq!(path("file:///data/a%3Fb"), Path::new("/data/a?b"));
    }

    #[test]
    fn dots_lead_to_the_parent() {
        let here = std::env::current_dir().unwrap();
        let parent = here.parent().unwrap();
        assert_eq!(path("../out"), parent.join("out"));
        assert_eq!(path("./a/.././out"), here.join("out"));
        assert_eq!(path("/../../out"), Path::new("/out"));
        assert_eq!(path("/nowhere/at all/../out"), Path::new("/nowhere/out"));
    }

    #[cfg(unix)]
    #[test]
    fn the_parent_of_a_link_is_the_parent_of_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("real/below")).unwrap();
        std::os::unix::fs::symlink(root.join("real/below"), root.join("link")).unwrap();
        let written = root.join("link/../out");
        assert_eq!(path(written.to_str().unwrap()), root.join("real/out"));
        // Without dots a link stays as it is written.
        let written = root.join("link/out");
        assert_eq!(path(written.to_str().unwrap()), written);
    }
}
