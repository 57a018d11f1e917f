//! API keys and their secrets.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// Why credentials cannot be used. Never holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// Nothing was set.
    #[error("no credentials: set TULIP_API_KEY and TULIP_API_SECRET, or TULIP_AUTH")]
    Missing,
    /// One half was set.
    #[error("{set} is set but {missing} is not; both are needed")]
    Half {
        /// The variable that is set.
        set: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// Two sources were set and disagree.
    #[error(
        "TULIP_AUTH and TULIP_API_KEY with TULIP_API_SECRET name different credentials; unset one of them"
    )]
    Conflict,
    /// A part is empty.
    #[error("the {part} is empty")]
    Empty {
        /// "API key" or "API secret".
        part: &'static str,
    },
    /// A part holds a character that HTTP Basic cannot carry.
    #[error("the {part} holds {what}, which HTTP Basic cannot carry")]
    Character {
        /// "API key" or "API secret".
        part: &'static str,
        /// What was found.
        what: &'static str,
    },
    /// The pasted header is not one.
    #[error(
        "the auth header is not usable: {reason}; paste the value of \"Auth Header\" from Tulip's token page, with or without \"Basic \""
    )]
    Header {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// An API key and its secret.
///
/// The secret is wiped from memory on drop and masked in `Debug`. There is no `Display` and no
/// `Serialize`; `Deserialize` reads an object with `key` and `secret`.
///
/// ```
/// use tulip_core::Credentials;
/// let pasted = Credentials::from_header("Basic YXBpa2V5LjJfYTpzZWNyZXQ=")?;
/// assert_eq!(pasted, Credentials::new("apikey.2_a", "secret")?);
/// assert_eq!(format!("{pasted:?}"), "Credentials { key: \"apikey.2_a\", secret: [redacted] }");
/// # Ok::<(), tulip_core::CredentialsError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    key: String,
    secret: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Parts {
    #[serde(deserialize_with = "text")]
    key: Zeroizing<String>,
    #[serde(deserialize_with = "text")]
    secret: Zeroizing<String>,
}

/// A value without what editors and shells leave around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// A text, without its value in the error where it is none.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer)
        .map(Zeroizing::new)
        .map_err(|_| D::Error::custom("a text was expected"))
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for a map, serde_json itself would quote what it finds instead.
        deserializer.deserialize_any(PartsVisitor)
    }
}

/// Reads an object. Whatever else stands there may be the secret, which serde would quote.
struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Credentials;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with key and secret")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Credentials, A::Error> {
        let parts = Parts::deserialize(MapAccessDeserializer::new(map))?;
        Credentials::new(&parts.key, &parts.secret).map_err(A::Error::custom)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Credentials, E> {
        Err(E::invalid_type(Unexpected::Other("a text"), &self))
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Credentials, E> {
        Err(E::invalid_type(Unexpected::Other("bytes"), &self))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Credentials, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Credentials, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Credentials, E> {
        Err(E::invalid_type(Unexpected::Other("a number"), &self))
    }
}

impl Credentials {
    /// Credentials from an API key and its secret. White space and byte order marks around both are
    /// dropped: mounted secret files end in a newline, and some editors begin files with a mark.
    ///
    /// # Errors
    /// [`CredentialsError`] when a part is empty, holds a control character, or the key a colon.
    pub fn new(key: &str, secret: &str) -> Result<Self, CredentialsError> {
        let (key, secret) = (bare(key), bare(secret));
        check("API key", key)?;
        check("API secret", secret)?;
        if key.contains(':') {
            return Err(CredentialsError::Character {
                part: "API key",
                what: "a colon",
            });
        }
        Ok(Self {
            key: key.to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
        })
    }

    /// Credentials from the "Auth Header" that Tulip's token page shows: `Basic …`, or the bare
    /// base64 of `key:secret`, with or without padding.
    ///
    /// # Errors
    /// [`CredentialsError::Header`] when it is not that; the error never shows the text.
    pub fn from_header(header: &str) -> Result<Self, CredentialsError> {
        let refused = |reason| CredentialsError::Header { reason };
        let header = bare(header);
        let mut header = header
            .strip_prefix("Authorization:")
            .unwrap_or(header)
            .trim_start();
        if let Some((scheme, rest)) = header.split_once(char::is_whitespace) {
            if !scheme.eq_ignore_ascii_case("basic") {
                return Err(refused("its scheme is not Basic"));
            }
            header = rest.trim_start();
        }
        if header.is_empty() {
            return Err(refused("it is empty"));
        }
        let bytes = STANDARD
            .decode(header)
            .or_else(|_| STANDARD_NO_PAD.decode(header))
            .map(Zeroizing::new)
            .map_err(|_| refused("it is not base64"))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| refused("it is not UTF-8 inside"))?;
        let (key, secret) = text
            .split_once(':')
            .ok_or_else(|| refused("there is no colon between key and secret inside"))?;
        Self::new(key, secret)
    }

    /// Credentials from the variables that Tulip's tools use, looked up by `var`: `TULIP_API_KEY`
    /// with `TULIP_API_SECRET`, or `TULIP_AUTH`. Variables that are empty count as unset.
    ///
    /// ```
    /// use tulip_core::Credentials;
    /// let credentials = Credentials::from_vars(|name| match name {
    ///     "TULIP_API_KEY" => Some("apikey.2_a".to_owned()),
    ///     "TULIP_API_SECRET" => Some("secret".to_owned()),
    ///     _ => None,
    /// })?;
    /// assert_eq!(credentials.key(), "apikey.2_a");
    /// # Ok::<(), tulip_core::CredentialsError>(())
    /// ```
    ///
    /// # Errors
    /// [`CredentialsError`] when none or half of them is set, they disagree, or cannot be used.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        let get = |name| {
            var(name)
                .map(Zeroizing::new)
                .filter(|value| !value.trim().is_empty())
        };
        let parts = match (get("TULIP_API_KEY"), get("TULIP_API_SECRET")) {
            (Some(key), Some(secret)) => Some(Self::new(&key, &secret)?),
            (None, None) => None,
            (Some(_), None) => {
                return Err(CredentialsError::Half {
                    set: "TULIP_API_KEY",
                    missing: "TULIP_API_SECRET",
                });
            }
            (None, Some(_)) => {
                return Err(CredentialsError::Half {
                    set: "TULIP_API_SECRET",
                    missing: "TULIP_API_KEY",
                });
            }
        };
        let header = get("TULIP_AUTH")
            .map(|header| Self::from_header(&header))
            .transpose()?;
        match (parts, header) {
            (Some(parts), Some(header)) if parts != header => Err(CredentialsError::Conflict),
            (Some(found), _) | (None, Some(found)) => Ok(found),
            (None, None) => Err(CredentialsError::Missing),
        }
    }

    /// Credentials from the process environment; see [`Credentials::from_vars`].
    ///
    /// # Errors
    /// As [`Credentials::from_vars`].
    pub fn from_env() -> Result<Self, CredentialsError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// The API key: the user name of HTTP Basic, not a secret.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The secret. Never show it.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.secret
    }

    /// The value of the `Authorization` header (RFC 7617), wiped on drop.
    #[must_use]
    pub fn basic_header(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(format!("{}:{}", self.key, *self.secret));
        let mut header = Zeroizing::new(String::with_capacity(8 + pair.len() * 4 / 3 + 4));
        header.push_str("Basic ");
        STANDARD.encode_string(pair.as_bytes(), &mut header);
        header
    }
}

fn check(part: &'static str, value: &str) -> Result<(), CredentialsError> {
    if value.is_empty() {
        return Err(CredentialsError::Empty { part });
    }
    if value.chars().any(char::is_control) {
        return Err(CredentialsError::Character {
            part,
            what: "a line break or another control character",
        });
    }
    Ok(())
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("key", &self.key)
            .field("secret", &format_args!("{}", crate::redact::MASK))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vars(set: &[(&str, &str)]) -> Result<Credentials, CredentialsError> {
        Credentials::from_vars(|name| {
            set.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn every_form_that_people_paste_gives_the_same_credentials() {
        let expected = Credentials::new("apikey.2_ab", "s3cret").unwrap();
        for header in [
            "Basic YXBpa2V5LjJfYWI6czNjcmV0",
            "basic  YXBpa2V5LjJfYWI6czNjcmV0\n",
            "YXBpa2V5LjJfYWI6czNjcmV0",
            "Authorization: Basic YXBpa2V5LjJfYWI6czNjcmV0",
        ] {
            assert_eq!(
                Credentials::from_header(header).unwrap(),
                expected,
                "{header}"
            );
        }
        assert_eq!(
            expected.basic_header().as_str(),
            "Basic YXBpa2V5LjJfYWI6czNjcmV0"
        );
    }

    #[test]
    fn unusable_headers_are_refused_without_their_text() {
        for header in [
            "",
            "Bearer s3cret",
            "Basic ",
            "s3cret!",
            "czNjcmV0",
            "Basic /w==",
        ] {
            let error = Credentials::from_header(header).unwrap_err();
            assert!(matches!(error, CredentialsError::Header { .. }), "{header}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
            assert!(!error.to_string().contains("czNjcmV0"), "{error}");
        }
    }

    #[test]
    fn parts_that_basic_cannot_carry_are_refused() {
        for (key, secret) in [
            ("", "s"),
            ("k", " "),
            ("a:b", "s"),
            ("k", "a\nb"),
            ("k\0", "s"),
        ] {
            assert!(Credentials::new(key, secret).is_err(), "{key:?} {secret:?}");
        }
    }

    #[test]
    fn configuration_is_read_and_its_errors_do_not_show_the_secret() {
        let json = r#"{"key":"apikey.2_ab","secret":"s3cret","note":1}"#;
        let read: Credentials = serde_json::from_str(json).unwrap();
        assert_eq!(read, Credentials::new("apikey.2_ab", "s3cret").unwrap());
        for json in [
            r#"{"key":"k","secret":73577}"#,
            r#"{"key":"k","secret":["73577"]}"#,
            r#"{"key":"a:b","secret":"73577"}"#,
            r#""73577""#,
            "73577",
            "-73577",
            "0.73577",
            r#"["73577"]"#,
        ] {
            let error = serde_json::from_str::<Credentials>(json)
                .unwrap_err()
                .to_string();
            assert!(!error.contains("73577"), "{error}");
        }
    }

    #[test]
    fn variables_are_taken_whole_or_refused() {
        let header = ("TULIP_AUTH", "Basic YXBpa2V5LjJfYWI6czNjcmV0");
        let key = ("TULIP_API_KEY", "apikey.2_ab");
        let secret = ("TULIP_API_SECRET", "s3cret\n");
        let expected = Credentials::new("apikey.2_ab", "s3cret").unwrap();
        assert_eq!(vars(&[key, secret]).unwrap(), expected);
        assert_eq!(vars(&[header]).unwrap(), expected);
        assert_eq!(vars(&[header, key, secret]).unwrap(), expected);
        assert_eq!(vars(&[header, ("TULIP_API_KEY", "")]).unwrap(), expected);
        assert_eq!(vars(&[]).unwrap_err(), CredentialsError::Missing);
        assert!(matches!(
            vars(&[key]),
            Err(CredentialsError::Half {
                missing: "TULIP_API_SECRET",
                ..
            })
        ));
        assert!(matches!(
            vars(&[secret]),
            Err(CredentialsError::Half {
                missing: "TULIP_API_KEY",
                ..
            })
        ));
        let other = ("TULIP_API_SECRET", "another");
        assert_eq!(
            vars(&[header, key, other]).unwrap_err(),
            CredentialsError::Conflict
        );
    }

    proptest! {
        #[test]
        fn headers_round_trip_and_debug_hides_the_secret(
            key in "[a-z0-9._]{1,20}",
            tail in "[!-~]{0,40}",
        ) {
            let secret = format!("c0ffee5ec2e7{tail}");
            let credentials = Credentials::new(&key, &secret).unwrap();
            let again = Credentials::from_header(&credentials.basic_header()).unwrap();
            prop_assert_eq!(&again, &credentials);
            let shown = format!("{again:?}");
            prop_assert!(!shown.contains("c0ffee5ec2e7"));
        }

        #[test]
        fn any_header_is_taken_or_refused_without_panic(text in any::<String>()) {
            let _ = Credentials::from_header(&text);
        }
    }
}
