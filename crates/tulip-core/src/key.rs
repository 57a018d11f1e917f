//! Object keys, which locate objects below their sink's root.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// An error parsing an [`ObjectKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectKeyError {
    /// Nothing is left after normalising.
    #[error("the object key is empty")]
    Empty,
    /// A segment is `..`.
    #[error("the object key {key:?} has a \"..\" segment")]
    Climbs {
        /// The refused text.
        key: String,
    },
    /// It starts with `/`.
    #[error("the object key {key:?} is absolute; a key lies below the sink's root")]
    Absolute {
        /// The refused text.
        key: String,
    },
    /// It contains a backslash or a control character.
    #[error("the object key {key:?} holds {character:?}, which not every store can keep")]
    Character {
        /// The refused text.
        key: String,
        /// The first character that was refused.
        character: char,
    },
    /// It, or one of its segments, is longer than stores allow.
    #[error("the object key has {length} bytes in {what}, more than the {limit} that stores allow")]
    TooLong {
        /// "all" or "one segment".
        what: &'static str,
        /// The length found, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
}

/// The maximum length of a key in bytes. S3 allows 1024; the rest is for a sink's prefix and a
/// receipt's name.
const MAX_KEY: usize = 900;
/// The maximum length of a segment in bytes. File systems allow 255; the rest is for the names of
/// staged objects and receipts.
const MAX_SEGMENT: usize = 200;

/// The start of a receipt's last segment. Spark, Hive, Athena and pyarrow skip such names when they
/// load a folder.
const RECEIPT_PREFIX: char = '_';
/// The end of a receipt's last segment.
const RECEIPT_SUFFIX: &str = ".receipt.json";
/// The bytes by which a receipt's key is longer than its object's.
const RECEIPT_EXTRA: usize = RECEIPT_PREFIX.len_utf8() + RECEIPT_SUFFIX.len();

/// The bytes that are percent-encoded in the path of a URL.
const EXCEPT_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A relative, normalised object key such as `g56RCo/evsLrb.csv`.
///
/// Segments are separated by `/`. None is empty, `.` or `..`, and none contains a backslash or a
/// control character, so a key stays below its root whatever data it was built from.
///
/// ```
/// use tulip_core::ObjectKey;
/// assert_eq!(ObjectKey::new("mill//./07.csv")?.as_str(), "mill/07.csv");
/// assert!(ObjectKey::new("../07.csv").is_err());
/// # Ok::<(), tulip_core::ObjectKeyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(Box<str>);

impl ObjectKey {
    /// Validates and normalises `key`: empty segments and `.` are dropped.
    ///
    /// # Errors
    /// [`ObjectKeyError`] if nothing is left, the key starts with `/`, a segment is `..`, the key
    /// contains a backslash or control character or is longer than 900 bytes, or a segment is
    /// longer than 200. For a receipt's key, the limits apply to its object's key.
    pub fn new(key: &str) -> Result<Self, ObjectKeyError> {
        if key.starts_with('/') {
            return Err(ObjectKeyError::Absolute {
                key: key.to_owned(),
            });
        }
        if let Some(character) = key.chars().find(|c| c.is_control() || *c == '\\') {
            return Err(ObjectKeyError::Character {
                key: key.to_owned(),
                character,
            });
        }
        let mut normal = String::with_capacity(key.len());
        for segment in key.split('/').filter(|s| !s.is_empty() && *s != ".") {
            if segment == ".." {
                return Err(ObjectKeyError::Climbs {
                    key: key.to_owned(),
                });
            }
            if !normal.is_empty() {
                normal.push('/');
            }
            normal.push_str(segment);
        }
        if normal.is_empty() {
            return Err(ObjectKeyError::Empty);
        }
        let (folder, name) = split(&normal);
        let extra = match described(name) {
            Some(_) => RECEIPT_EXTRA,
            None => 0,
        };
        for segment in folder.split('/') {
            within("one segment", segment.len(), MAX_SEGMENT)?;
        }
        within("one segment", name.len(), MAX_SEGMENT + extra)?;
        within("all", normal.len(), MAX_KEY + extra)?;
        Ok(Self(normal.into_boxed_str()))
    }

    /// Returns the key of this object's receipt: `_` before the last segment, `.receipt.json` after
    /// it.
    ///
    /// ```
    /// use tulip_core::ObjectKey;
    /// let key = ObjectKey::new("mill/07.csv")?;
    /// assert_eq!(key.receipt().as_str(), "mill/_07.csv.receipt.json");
    /// assert_eq!(key.receipt().of_receipt(), Some(key));
    /// # Ok::<(), tulip_core::ObjectKeyError>(())
    /// ```
    #[must_use]
    pub fn receipt(&self) -> Self {
        // Always valid: the limits leave room for the name of a receipt.
        let (folder, name) = split(&self.0);
        Self(format!("{folder}{RECEIPT_PREFIX}{name}{RECEIPT_SUFFIX}").into_boxed_str())
    }

    /// Returns the key of the object that this receipt describes, or `None` if this is not a
    /// receipt's key.
    #[must_use]
    pub fn of_receipt(&self) -> Option<Self> {
        let (folder, name) = split(&self.0);
        let object = Self::new(&format!("{folder}{}", described(name)?)).ok()?;
        (object.receipt() == *self).then_some(object)
    }

    /// Whether this is the key of a receipt, as returned by [`ObjectKey::receipt`].
    #[must_use]
    pub fn is_receipt(&self) -> bool {
        self.of_receipt().is_some()
    }

    /// Returns the normalised key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the segments, outermost first.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the folders that contain the object, outermost first. A store with real folders has
    /// to create them before the object.
    ///
    /// ```
    /// use tulip_core::ObjectKey;
    /// let key = ObjectKey::new("mill/2026/07.csv")?;
    /// let parents: Vec<_> = key.parents().map(|folder| folder.to_string()).collect();
    /// assert_eq!(parents, ["mill", "mill/2026"]);
    /// # Ok::<(), tulip_core::ObjectKeyError>(())
    /// ```
    pub fn parents(&self) -> impl Iterator<Item = Self> {
        // Always valid: the start of a normalised key, up to a slash.
        let ends = self.0.match_indices('/');
        ends.map(|(end, _)| Self(self.0[..end].into()))
    }

    /// Percent-encodes the key as UTF-8 for the path of a URL. Slashes and the characters that RFC
    /// 3986 calls unreserved (letters, digits, `-`, `.`, `_`, `~`) stay as they are.
    ///
    /// ```
    /// use tulip_core::ObjectKey;
    /// let key = ObjectKey::new("mill/Mühle 07%.csv")?;
    /// assert_eq!(key.percent_encoded(), "mill/M%C3%BChle%2007%25.csv");
    /// # Ok::<(), tulip_core::ObjectKeyError>(())
    /// ```
    #[must_use]
    pub fn percent_encoded(&self) -> String {
        utf8_percent_encode(&self.0, EXCEPT_PATHS).to_string()
    }
}

/// Splits a key into its folder, with the trailing slash and possibly empty, and its last segment.
fn split(key: &str) -> (&str, &str) {
    key.split_at(key.rfind('/').map_or(0, |slash| slash + 1))
}

/// Returns the name of the object that a receipt's last segment describes.
fn described(name: &str) -> Option<&str> {
    let object = name.strip_prefix(RECEIPT_PREFIX)?;
    object
        .strip_suffix(RECEIPT_SUFFIX)
        .filter(|object| !matches!(*object, "" | "." | ".."))
}

fn within(what: &'static str, length: usize, limit: usize) -> Result<(), ObjectKeyError> {
    if length > limit {
        return Err(ObjectKeyError::TooLong {
            what,
            length,
            limit,
        });
    }
    Ok(())
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectKey {
    type Err = ObjectKeyError;
    fn from_str(key: &str) -> Result<Self, ObjectKeyError> {
        Self::new(key)
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = ObjectKeyError;
    fn try_from(key: String) -> Result<Self, ObjectKeyError> {
        Self::new(&key)
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_normalised() {
        for (text, key) in [
            ("a/b.csv", "a/b.csv"),
            ("./a//b/", "a/b"),
            ("Mühle 07/%2e.csv", "Mühle 07/%2e.csv"),
        ] {
            assert_eq!(ObjectKey::new(text).unwrap().as_str(), key);
        }
    }

    #[test]
    fn a_receipt_lies_beside_its_object_under_a_name_that_loaders_skip() {
        for (object, receipt) in [
            ("b.csv", "_b.csv.receipt.json"),
            ("a/b.csv", "a/_b.csv.receipt.json"),
            ("_a/_b", "_a/__b.receipt.json"),
        ] {
            let object = ObjectKey::new(object).unwrap();
            assert_eq!(object.receipt().as_str(), receipt);
            assert_eq!(object.receipt().of_receipt(), Some(object));
        }
        for other in [
            "b.csv.receipt.json",
            "_b.csv",
            "_a/b.receipt.json",
            "_.receipt.json",
            "_..receipt.json",
            "_...receipt.json",
        ] {
            assert!(!ObjectKey::new(other).unwrap().is_receipt(), "{other}");
        }
    }

    #[test]
    fn the_receipt_of_the_longest_key_is_a_key() {
        let longest = format!("{}{}", "x".repeat(199) + "/", "y".repeat(200));
        let receipt = ObjectKey::new(&longest).unwrap().receipt();
        assert_eq!(ObjectKey::new(receipt.as_str()), Ok(receipt.clone()));
        // A longer one is not the receipt of any object.
        let longer = format!("_{}.receipt.json", "y".repeat(201));
        assert!(ObjectKey::new(&longer).is_err());
        assert!(ObjectKey::new(receipt.receipt().as_str()).is_err());
    }

    #[test]
    fn what_could_escape_or_break_a_store_is_refused() {
        for (text, says) in [
            ("", "is empty"),
            ("./.", "is empty"),
            ("/etc/passwd", "is absolute"),
            ("a/../../b", "segment"),
            ("a\\b", "holds '\\\\'"),
            ("a\nb", "holds '\\n'"),
        ] {
            let message = ObjectKey::new(text).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
        assert!(
            ObjectKey::new(&"x".repeat(201))
                .unwrap_err()
                .to_string()
                .contains("one segment")
        );
        assert!(
            ObjectKey::new(&"xxxxxxxxx/".repeat(100))
                .unwrap_err()
                .to_string()
                .contains("900")
        );
    }

    proptest! {
        #[test]
        fn no_key_escapes_its_root(text in "([a.]|\\.\\.|/|\\\\|%2e|é| |\\x00){0,12}") {
            if let Ok(key) = ObjectKey::new(&text) {
                prop_assert!(!key.as_str().starts_with('/'));
                prop_assert!(key.segments().all(|s| !matches!(s, "" | "." | "..") && !s.contains('\\')));
                // The key is normalised: normalising it again changes nothing.
                prop_assert_eq!(ObjectKey::new(key.as_str()).unwrap(), key.clone());
                prop_assert_eq!(ObjectKey::new(key.receipt().as_str()).unwrap(), key.receipt());
                prop_assert_eq!(key.receipt().of_receipt(), Some(key.clone()));
                // So are its folders.
                for folder in key.parents() {
                    prop_assert_eq!(ObjectKey::new(folder.as_str()).unwrap(), folder);
                }
                prop_assert_eq!(key.parents().count() + 1, key.segments().count());
                // The encoded key round-trips through a URL.
                let encoded = key.percent_encoded();
                let url = url::Url::parse(&format!("http://h/{encoded}")).unwrap();
                prop_assert_eq!(url.path(), format!("/{encoded}"));
                let decoded = percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap();
                prop_assert_eq!(decoded, key.as_str());
            }
        }

        #[test]
        fn any_text_is_taken_or_refused_without_panic(text in any::<String>()) {
            let _ = ObjectKey::new(&text);
        }
    }
}
