//! Permissions of API tokens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A permission that an API token carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scope {
    /// `machines:read`: list machines, query the status of an archive job.
    #[serde(rename = "machines:read")]
    MachinesRead,
    /// `machines:write`: start an archive job.
    #[serde(rename = "machines:write")]
    MachinesWrite,
}

impl Scope {
    /// Returns the name shown on Tulip's token page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MachinesRead => "machines:read",
            Self::MachinesWrite => "machines:write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of parsing an unknown scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {0:?}; known are machines:read and machines:write")]
pub struct UnknownScope(
    /// The text.
    pub String,
);

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        match text {
            "machines:read" => Ok(Self::MachinesRead),
            "machines:write" => Ok(Self::MachinesWrite),
            other => Err(UnknownScope(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for scope in [Scope::MachinesRead, Scope::MachinesWrite] {
            assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
            assert_eq!(
                serde_json::to_string(&scope).unwrap(),
                format!("\"{scope}\"")
            );
        }
        assert!(
            "tables:read"
                .parse::<Scope>()
                .unwrap_err()
                .to_string()
                .contains("tables:read")
        );
    }
}
