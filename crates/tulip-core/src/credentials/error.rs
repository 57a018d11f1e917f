//! Errors of credentials.

/// An error reading credentials. Never contains the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// No credentials are set.
    #[error("no credentials: set TULIP_API_KEY and TULIP_API_SECRET, or TULIP_AUTH")]
    Missing,
    /// Only one of key and secret is set.
    #[error("{set} is set but {missing} is not; both are needed")]
    Half {
        /// The variable that is set.
        set: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
    /// Both sources are set, but disagree.
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
        /// The kind of character found.
        what: &'static str,
    },
    /// The pasted text is not an auth header.
    #[error(
        "the auth header is not usable: {reason}; paste the value of \"Auth Header\" from Tulip's token page, with or without \"Basic \""
    )]
    Header {
        /// What is wrong with it.
        reason: &'static str,
    },
}
