//! Objects and how they are served.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::header::{IF_MATCH, IF_RANGE, RANGE};
use http::request::Parts;
use http::{Method, Version};

use crate::body::Body;
use crate::content::Content;
use crate::fault::{Fault, Part, Reply};
use crate::jobs::Budget;
use crate::range::{Selection, select};
use crate::respond::Delivery;
use crate::script::{AssetScript, IfMatch};
use crate::server::Response;

/// An object that a request has access to.
pub(super) struct Object {
    pub(super) content: Content,
    pub(super) script: AssetScript,
    pub(super) modified: String,
    /// The number of requests for it so far, including this one.
    pub(super) request: u64,
    /// The bytes that its URL may still serve.
    pub(super) budget: Budget,
    /// The counters of bytes sent, for the host and for the job.
    pub(super) counters: [Arc<AtomicU64>; 2],
}

impl Object {
    /// Returns the reply; `sent` counts its bytes.
    pub(super) fn response(
        self,
        head: &Parts,
        delivery: Delivery<'_>,
        sent: &Arc<AtomicU64>,
    ) -> Response {
        let (mut reply, part) = match self.select(head, delivery.fault) {
            Ok(selected) => selected,
            Err(refusal) => return delivery.respond(&refusal),
        };
        // HTTP/1.0 has no chunks: hyper ends the body by closing the connection.
        let chunked = self.script.chunked && head.version >= Version::HTTP_11;
        let mut end = part.end;
        if let Some(length) = part.content_length.filter(|_| !chunked) {
            reply = reply.header("Content-Length", length.to_string());
            end = end.min(part.start.saturating_add(length));
        }
        let mut body = Body::content(self.content, part.start, end)
            .filled(part.filler)
            .within(self.budget, delivery.orders)
            .counted(self.counters)
            .counted([Arc::clone(sent)]);
        if self.script.chunked {
            body = body.unannounced();
        }
        for (name, value) in &self.script.headers {
            reply
                .headers
                .retain(|(old, _)| !old.eq_ignore_ascii_case(name));
            reply = reply.header(name, value);
        }
        delivery.respond_with(&reply, body)
    }

    /// Whether `If-Match: wanted` lets the request through to an object with the tag `etag`.
    fn meets(&self, wanted: &str, etag: &str) -> bool {
        match self.script.if_match {
            IfMatch::Kept => wanted
                .split(',')
                .any(|tag| matches!(tag.trim(), tag if tag == etag || tag == "*")),
            IfMatch::Ignored => true,
            IfMatch::Refused => false,
        }
    }

    /// Returns the status and headers, and which bytes follow.
    fn select(&self, head: &Parts, fault: &Fault) -> Result<(Reply, Part), Reply> {
        let length = self.content.len();
        let replica = match self.script.etag_per_request {
            true => self.request,
            false => 0,
        };
        let etag = self.script.etag.then(|| self.content.etag(replica));
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        if let (Some(etag), Some(wanted)) = (&etag, header(IF_MATCH))
            && !self.meets(wanted, etag)
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
            Selection::Whole => {
                let mut part = Part::new(0, length, length);
                part.content_length = self.script.declared_length;
                Ok((reply, part))
            }
            Selection::Part { start, end } => {
                let mut part = Part::new(start, end, length);
                if let Fault::Range(fault) = fault {
                    part = part.spoilt(fault, length);
                }
                if let Some(range) = &part.content_range {
                    reply = reply.header("Content-Range", range);
                }
                reply.status = 206;
                Ok((reply, part))
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
