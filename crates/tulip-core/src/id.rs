//! Identifiers that Tulip hands out. They are opaque: only text that cannot be an identifier, or
//! would change the meaning of a path, is refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An error parsing an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty.
    #[error("{what} is empty")]
    Empty {
        /// Which identifier was parsed, for example "job id".
        what: &'static str,
    },
    /// The text contains a character that no identifier has.
    #[error("{what} {value:?} holds {character:?}, which no {what} has")]
    Character {
        /// Which identifier was parsed.
        what: &'static str,
        /// The refused text.
        value: String,
        /// The first character that was refused.
        character: char,
    },
    /// The text is `.` or `..`, which would change the path that contains it.
    #[error("{what} {value:?} is a path segment, not an id")]
    DotSegment {
        /// Which identifier was parsed.
        what: &'static str,
        /// The refused text.
        value: String,
    },
    /// The text is longer than any identifier.
    #[error("{what} has {length} bytes, more than the {MAX_LENGTH} that fit into a request")]
    TooLong {
        /// Which identifier was parsed.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}

/// The longest identifier accepted, in bytes.
const MAX_LENGTH: usize = 512;

fn check(what: &'static str, value: &str) -> Result<(), IdError> {
    if value.is_empty() {
        return Err(IdError::Empty { what });
    }
    if value.len() > MAX_LENGTH {
        return Err(IdError::TooLong {
            what,
            length: value.len(),
        });
    }
    let refused = |c: char| c.is_control() || c == '/';
    refuse_characters(what, value, refused)?;
    if value == "." || value == ".." {
        return Err(IdError::DotSegment {
            what,
            value: value.to_owned(),
        });
    }
    Ok(())
}

/// Refuses characters that have never been seen in an id and are nearly always typing errors.
fn check_typed(what: &'static str, value: &str) -> Result<(), IdError> {
    refuse_characters(what, value, |c| c.is_whitespace() || c == '\\')
}

fn refuse_characters(
    what: &'static str,
    value: &str,
    refused: impl Fn(char) -> bool,
) -> Result<(), IdError> {
    match value.chars().find(|c| refused(*c)) {
        Some(character) => Err(IdError::Character {
            what,
            value: value.to_owned(),
            character,
        }),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Accepts an identifier that Tulip sent. [Parse](str::parse) user input instead, which
            /// also refuses white space and backslashes.
            ///
            /// # Errors
            /// [`IdError`] if it is empty, over 512 bytes, `.` or `..`, or contains a slash or a
            /// control character. Anything else is accepted: Tulip has widened its alphabet before.
            pub fn new(value: impl Into<String>) -> Result<Self, IdError> {
                let value = value.into();
                check($what, &value)?;
                Ok(Self(value.into_boxed_str()))
            }

            /// Returns the identifier as Tulip wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(value: &str) -> Result<Self, IdError> {
                let id = Self::new(value)?;
                check_typed($what, value)?;
                Ok(id)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(value: String) -> Result<Self, IdError> {
                Self::new(value)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
    };
}

id!(
    /// The identifier of one archive job.
    ///
    /// ```
    /// use tulip_core::JobId;
    /// let job: JobId = "evsLrbKLQgX8YWE4v".parse()?;
    /// assert_eq!(job.as_str(), "evsLrbKLQgX8YWE4v");
    /// assert!("../machines".parse::<JobId>().is_err());
    /// # Ok::<(), tulip_core::IdError>(())
    /// ```
    JobId,
    "job id"
);
id!(
    /// The identifier of a machine.
    MachineId,
    "machine id"
);
id!(
    /// The identifier of a workspace; most customers have one, `DEFAULT`.
    WorkspaceId,
    "workspace id"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn documented_ids_are_accepted() {
        for id in [
            "evsLrbKLQgX8YWE4v",
            "MmMvdcJpgDWrDgmLZ",
            "g56RCoZCtzv7borvp",
            "a_b",
            "日本",
        ] {
            assert_eq!(JobId::new(id).unwrap().to_string(), id);
        }
    }

    #[test]
    fn what_cannot_be_an_id_is_refused_with_its_reason() {
        let message = |id: &str| id.parse::<JobId>().unwrap_err().to_string();
        assert_eq!(message(""), "job id is empty");
        assert_eq!(
            message("a/b"),
            r#"job id "a/b" holds '/', which no job id has"#
        );
        assert_eq!(
            message("a b"),
            r#"job id "a b" holds ' ', which no job id has"#
        );
        assert_eq!(
            message("a\n"),
            r#"job id "a\n" holds '\n', which no job id has"#
        );
        assert_eq!(message(".."), r#"job id ".." is a path segment, not an id"#);
        assert!(message(&"x".repeat(513)).contains("513 bytes"));
    }

    #[test]
    fn what_tulip_sends_is_taken_where_typing_it_is_refused() {
        for id in ["a b", "a\\b"] {
            assert!(id.parse::<JobId>().is_err());
            assert_eq!(JobId::new(id).unwrap().as_str(), id);
        }
    }

    proptest! {
        #[test]
        fn ids_round_trip_through_serde(value in "[a-zA-Z0-9_]{1,40}") {
            let id = MachineId::new(value.clone()).unwrap();
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(&json, &format!("\"{value}\""));
            prop_assert_eq!(serde_json::from_str::<MachineId>(&json).unwrap(), id);
        }

        #[test]
        fn any_text_is_taken_or_refused_without_panic(value in any::<String>()) {
            if let Ok(id) = JobId::new(value.clone()) {
                prop_assert!(!id.as_str().contains('/') && id.as_str() != "..");
            }
        }
    }
}
