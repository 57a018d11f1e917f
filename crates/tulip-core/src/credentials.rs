//! API keys and their secrets.

mod error;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

pub use self::error::CredentialsError;

/// An API key and its secret.
///
/// The secret is wiped from memory on drop and masked in `Debug`. There is no `Display` and no
/// `Serialize`.
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

/// Trims the white space and byte order marks that editors and shells leave around a value.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

impl Credentials {
    /// Creates credentials from an API key and its secret. White space and byte order marks around
    /// both are dropped: mounted secret files end in a newline, and some editors start files with a
    /// mark.
    ///
    /// # Errors
    /// [`CredentialsError`] if either is empty or contains a control character, or the key contains
    /// a colon.
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

    /// Creates credentials from the "Auth Header" on Tulip's token page: `Basic …`, or the bare
    /// base64 of `key:secret`, with or without padding.
    ///
    /// # Errors
    /// [`CredentialsError::Header`] if it is not that; otherwise see [`Credentials::new`]. Errors
    /// never show the text.
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

    /// Reads credentials from the variables that Tulip's tools use, looked up by `var`:
    /// `TULIP_API_KEY` with `TULIP_API_SECRET`, or `TULIP_AUTH`. Blank variables count as unset.
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
    /// [`CredentialsError`] if none is set, one of a pair is missing, they disagree, or cannot be
    /// used.
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

    /// Reads credentials from the process environment; see [`Credentials::from_vars`].
    ///
    /// # Errors
    /// See [`Credentials::from_vars`].
    pub fn from_env() -> Result<Self, CredentialsError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// Returns the API key: the user name of HTTP Basic, not a secret.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the secret. Never show it.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.secret
    }

    /// Returns the value of the `Authorization` header (RFC 7617), wiped on drop.
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
mod tests;
