//! Deserialisation of credentials from an object with `key` and `secret`. Errors do not quote
//! rejected values, which may be the secret.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::Credentials;

#[derive(Deserialize)]
struct Parts {
    #[serde(deserialize_with = "text")]
    key: Zeroizing<String>,
    #[serde(deserialize_with = "text")]
    secret: Zeroizing<String>,
}

/// Reads a string. The error for any other value does not quote it.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer)
        .map(Zeroizing::new)
        .map_err(|_| D::Error::custom("a text was expected"))
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // If asked for a map, serde_json would quote any other value in its error.
        deserializer.deserialize_any(PartsVisitor)
    }
}

/// Reads an object. Rejects any other value, which may be the secret, without quoting it as serde
/// would.
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
