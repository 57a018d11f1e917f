//! An object and how it is served.

use std::sync::Arc;

use http::header::{IF_MATCH, IF_RANGE, RANGE};
use http::request::Parts;
use http::{Method, StatusCode, Version};

use crate::body::Body;
use crate::content::Content;
use crate::fault::Reply;
use crate::instance::Instance;
use crate::range::{Selection, select};
use crate::respond::Delivery;
use crate::script::AssetScript;
use crate::server::Response;

/// What a request is let in to.
pub(super) struct Object {
    pub(super) content: Content,
    pub(super) script: AssetScript,
    pub(super) modified: String,
}

impl Object {
    pub(super) fn response(
        self,
        head: &Parts,
        delivery: Delivery<'_>,
        instance: &Instance,
    ) -> Response {
        let reply = match self.select(head) {
            Ok(reply) => reply,
            Err(refusal) => return delivery.respond(&refusal),
        };
        let (mut reply, start, end) = reply;
        // HTTP/1.0 has no chunks; hyper then ends the body with the connection.
        let chunked = self.script.chunked && head.version >= Version::HTTP_11;
        let wrong_length = self
            .script
            .declared_length
            .filter(|_| !chunked && reply.status == StatusCode::OK);
        let mut end = end;
        if let Some(length) = wrong_length {
            reply = reply.header("Content-Length", length.to_string());
            end = end.min(start.saturating_add(length));
        }
        let mut body =
            Body::content(self.content, start, end).counted(Arc::clone(&instance.asset_bytes));
        if self.script.chunked {
            body = body.unannounced();
        }
        delivery.respond_with(&reply, body)
    }

    /// Status and headers, and which bytes follow.
    fn select(&self, head: &Parts) -> Result<(Reply, u64, u64), Reply> {
        let length = self.content.len();
        let etag = self.script.etag.then(|| self.content.etag());
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        if let (Some(etag), Some(wanted)) = (&etag, header(IF_MATCH))
            && !wanted
                .split(',')
                .any(|tag| matches!(tag.trim(), tag if tag == etag || tag == "*"))
        {
            return Err(Reply::xml(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            ));
        }
        let range = header(RANGE).filter(|_| self.script.ranges && head.method == Method::GET);
        let range =
            range.filter(|_| header(IF_RANGE).is_none_or(|tag| Some(tag) == etag.as_deref()));
        let mut reply = Reply::new(200)
            .header("Content-Type", "text/csv")
            .header("Last-Modified", &self.modified)
            .header("Server", "AmazonS3");
        if self.script.ranges {
            reply = reply.header("Accept-Ranges", "bytes");
        }
        if let Some(etag) = etag {
            reply = reply.header("ETag", etag);
        }
        match select(range, length) {
            Selection::Whole => Ok((reply, 0, length)),
            Selection::Part { start, end } => {
                let content_range = format!("bytes {start}-{}/{length}", end - 1);
                reply = reply.header("Content-Range", content_range);
                reply.status = 206;
                Ok((reply, start, end))
            }
            Selection::Unsatisfiable => Err(Reply::xml(
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
            )
            .header("Content-Range", format!("bytes */{length}"))),
        }
    }
}
