//! Replies of the API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;
use tulip_core::ApiErrorBody;

use crate::fault::Reply;
use crate::instance::Instance;
use crate::random::Random;

/// An error documented by the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApiError {
    BadRequest(String),
    Unauthorized(&'static str),
    Forbidden(String),
    NotFound(String),
    MethodNotAllowed(&'static str),
    Internal(&'static str),
}

impl ApiError {
    /// Returns the reply, with an error id that is unique within the instance.
    pub(crate) fn reply(self, instance: &Instance) -> Reply {
        let (status, code, details) = match &self {
            Self::BadRequest(details) => (400, "BadRequest", details.clone()),
            Self::Unauthorized(details) => (401, "Unauthorized", (*details).to_owned()),
            Self::Forbidden(details) => (403, "Forbidden", details.clone()),
            Self::NotFound(details) => (404, "NotFound", details.clone()),
            Self::MethodNotAllowed(allowed) => (
                405,
                "MethodNotAllowed",
                format!("this path answers {allowed} only"),
            ),
            Self::Internal(details) => (500, "InternalServerError", (*details).to_owned()),
        };
        let unique = Random::of(instance.seed, "error", instance.next_number()).next();
        let unique = STANDARD_NO_PAD.encode(unique.to_le_bytes());
        let reply = Reply::json(status, &ApiErrorBody::new(code, unique, details));
        match self {
            Self::Unauthorized(_) => reply.header("WWW-Authenticate", "Basic realm=\"Tulip API\""),
            Self::MethodNotAllowed(allowed) => reply.header("Allow", allowed),
            _ => reply,
        }
    }
}

/// A job in the API's JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobReply<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

impl<'a> JobReply<'a> {
    fn bare(id: &'a str, status: &'a str) -> Self {
        Self {
            id,
            kind: "ddm-machine-activity-export",
            customer_id: None,
            user_id: None,
            status,
            workspace_id: None,
            resource: None,
            details: None,
        }
    }

    /// The reply to a status call.
    pub(crate) fn status(
        id: &'a str,
        status: &'a str,
        resource: Option<&'a str>,
        details: Option<&'a str>,
    ) -> Self {
        Self {
            resource,
            details,
            ..Self::bare(id, status)
        }
    }

    /// The reply to the call that starts a job.
    pub(crate) fn started(
        id: &'a str,
        status: &'a str,
        customer: &'a str,
        user: &'a str,
        workspace: &'a str,
    ) -> Self {
        Self {
            customer_id: Some(customer),
            user_id: Some(user),
            workspace_id: Some(workspace),
            ..Self::bare(id, status)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_have_the_documented_fields_in_the_documented_order() {
        let started = JobReply::started("j", "complete", "factory", "u", "DEFAULT");
        assert_eq!(
            serde_json::to_string(&started).unwrap(),
            r#"{"id":"j","type":"ddm-machine-activity-export","customerId":"factory","userId":"u","status":"complete","workspaceId":"DEFAULT"}"#
        );
        let status = JobReply::status("j", "complete", Some("http://h/x"), None);
        assert_eq!(
            serde_json::to_string(&status).unwrap(),
            r#"{"id":"j","type":"ddm-machine-activity-export","status":"complete","resource":"http://h/x"}"#
        );
    }
}
