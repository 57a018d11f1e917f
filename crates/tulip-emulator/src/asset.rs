//! The asset host: an object store that takes signed URLs alone.

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, COOKIE, HOST, IF_MATCH, IF_RANGE, RANGE, REFERER, USER_AGENT,
};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use tulip_core::JobId;

use crate::api::{limit, respond, text};
use crate::body::{Body, Cutter};
use crate::clock::http_date;
use crate::content::Content;
use crate::fault::{Endpoint, Fault, Reply};
use crate::instance::{Instance, job_of_path, url_number};
use crate::log::AssetRequest;
use crate::presign::{PresignError, Signed};
use crate::range::{Selection, select};
use crate::script::AssetScript;
use crate::server::{Handler, Hangup, Request, Response};

/// Answers downloads.
pub(crate) struct AssetHost(pub(crate) Arc<Instance>);

impl Handler for AssetHost {
    async fn answer(self: Arc<Self>, request: Request, cutter: Cutter) -> Result<Response, Hangup> {
        let (head, _) = request.into_parts();
        let job = job_of_path(head.uri.path());
        let fault = self.0.take_fault(Endpoint::Asset);
        let served = match &fault {
            Fault::Reply(reply) => Ok(Err(reply.clone())),
            Fault::Hangup => Err(Hangup),
            Fault::None | Fault::Cut { .. } | Fault::Stall { .. } => {
                Ok(self.serve(&head, job.as_ref()))
            }
        };
        let response = served.map(|served| match served {
            Ok(object) => object.response(&head, &fault, cutter, &self.0),
            Err(reply) => respond(&reply, |body| limit(body, &fault, cutter)),
        });
        let status = response.as_ref().ok().map(|r| r.status().as_u16());
        self.log(&head, job, status);
        response
    }
}

/// What a request is let in to.
struct Object {
    content: Content,
    script: AssetScript,
    modified: String,
}

impl AssetHost {
    /// The object of a request, or why it is refused.
    fn serve(&self, head: &Parts, job: Option<&JobId>) -> Result<Object, Reply> {
        let session = self.authenticate(head)?;
        let missing = || xml(404, "NoSuchKey", "The specified key does not exist.");
        let (machine, script, modified) = {
            let mut jobs = self.0.jobs();
            let job = job.and_then(|job| jobs.get_mut(job)).ok_or_else(missing)?;
            let number = url_number(&session).ok_or_else(missing)?;
            if !job.use_url(number) {
                return Err(xml(403, "AccessDenied", "Request has expired"));
            }
            let modified = http_date(job.created);
            (job.info.machine.clone(), job.script.asset.clone(), modified)
        };
        let content = self.0.content(&machine, &script).ok_or_else(missing)?;
        Ok(Object {
            content,
            script,
            modified,
        })
    }

    /// Checks the signature and returns the session that it covers.
    fn authenticate(&self, head: &Parts) -> Result<String, Reply> {
        if head.headers.contains_key(AUTHORIZATION) {
            return Err(xml(
                400,
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be specified",
            ));
        }
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let request = Signed {
            method: head.method.as_str(),
            path: head.uri.path(),
            host: host.unwrap_or_default(),
            query: head.uri.query().unwrap_or_default(),
        };
        let verified = self.0.presigner.verify(request, self.0.clock.now());
        verified.map_err(|error| match error {
            PresignError::Missing => xml(403, "AccessDenied", "Access Denied"),
            PresignError::Parameters(name) => xml(
                400,
                "AuthorizationQueryParametersError",
                &format!("The query parameter {name} is missing or has an unusable value"),
            ),
            PresignError::Mismatch => xml(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. \
                 Check your key and signing method.",
            ),
            PresignError::Expired { at } => {
                let rest = format!(
                    "<Expires>{}</Expires>",
                    humantime::format_rfc3339_seconds(at)
                );
                xml_with(403, "AccessDenied", "Request has expired", &rest)
            }
        })
    }

    fn log(&self, head: &Parts, job: Option<JobId>, status: Option<u16>) {
        let range = text(&head.headers, &RANGE);
        // Without the query: it holds the signature.
        tracing::info!(method = %head.method, path = head.uri.path(), range, status, "asset request");
        self.0.log_asset(AssetRequest {
            method: head.method.to_string(),
            job,
            status,
            authorization: head.headers.contains_key(AUTHORIZATION),
            cookie: head.headers.contains_key(COOKIE),
            range,
            if_match: text(&head.headers, &IF_MATCH),
            accept_encoding: text(&head.headers, &ACCEPT_ENCODING),
            user_agent: text(&head.headers, &USER_AGENT),
            referer: text(&head.headers, &REFERER),
        });
    }
}

impl Object {
    fn response(
        self,
        head: &Parts,
        fault: &Fault,
        cutter: Cutter,
        instance: &Instance,
    ) -> Response {
        let reply = match self.select(head) {
            Ok(reply) => reply,
            Err(refusal) => return respond(&refusal, |body| limit(body, fault, cutter)),
        };
        let (mut reply, start, end) = reply;
        // HTTP/1.0 has no chunks; hyper then ends the body with the connection.
        let chunked = self.script.chunked && head.version >= Version::HTTP_11;
        let wrong_length = self
            .script
            .declared_length
            .filter(|_| !chunked && reply.status == StatusCode::OK);
        if let Some(length) = wrong_length {
            reply = reply.header("Content-Length", length.to_string());
        }
        let mut body =
            Body::content(self.content, start, end).counted(Arc::clone(&instance.asset_bytes));
        if self.script.chunked || wrong_length.is_some() {
            body = body.unannounced();
        }
        respond(&reply, |_| limit(body, fault, cutter))
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
            return Err(xml(
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
            Selection::Unsatisfiable => Err(xml(
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
            )
            .header("Content-Range", format!("bytes */{length}"))),
        }
    }
}

fn xml(status: u16, code: &str, message: &str) -> Reply {
    xml_with(status, code, message, "")
}

/// An error as S3 writes it; `rest` are more elements.
fn xml_with(status: u16, code: &str, message: &str, rest: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message>{rest}<RequestId>EMULATED00000000</RequestId></Error>"
    );
    Reply::new(status)
        .header("Content-Type", "application/xml")
        .header("Server", "AmazonS3")
        .body(body)
}
