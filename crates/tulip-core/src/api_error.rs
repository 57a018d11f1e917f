//! The body of an error reply.

use serde::{Deserialize, Serialize};

use crate::lenient;

/// Tulip's explanation of a refused request. Every field may be missing, and a field that is not a
/// string is kept as its JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ApiErrorBody {
    /// The class of the error, for programs.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub error_code: Option<String>,
    /// The id that Tulip's support asks for.
    #[serde(
        rename = "errorUniqueID",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub error_unique_id: Option<String>,
    /// The explanation, to be shown to the user.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub details: Option<String>,
}

impl ApiErrorBody {
    /// Creates a body with all three fields.
    pub fn new(
        error_code: impl Into<String>,
        error_unique_id: impl Into<String>,
        details: impl Into<String>,
    ) -> Self {
        Self {
            error_code: Some(error_code.into()),
            error_unique_id: Some(error_unique_id.into()),
            details: Some(details.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_body_round_trips_and_unknown_fields_are_ignored() {
        let json = r#"{ "errorCode": "Unauthorized", "errorUniqueID": "aB3+/x", "details": "API key is required", "hint": {} }"#;
        let body: ApiErrorBody = serde_json::from_str(json).unwrap();
        assert_eq!(
            body,
            ApiErrorBody::new("Unauthorized", "aB3+/x", "API key is required")
        );
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r#"{"errorCode":"Unauthorized","errorUniqueID":"aB3+/x","details":"API key is required"}"#
        );
    }

    #[test]
    fn no_field_is_lost_over_another_of_an_odd_kind() {
        let json = r#"{ "errorCode": 7, "errorUniqueID": "aB3", "details": { "a": [1] } }"#;
        let body: ApiErrorBody = serde_json::from_str(json).unwrap();
        assert_eq!(body, ApiErrorBody::new("7", "aB3", r#"{"a":[1]}"#));
    }

    #[test]
    fn every_field_may_be_missing() {
        assert_eq!(
            serde_json::from_str::<ApiErrorBody>("{}").unwrap(),
            ApiErrorBody::default()
        );
    }
}
