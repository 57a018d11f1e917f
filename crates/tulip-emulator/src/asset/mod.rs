//! The asset host: an object store that accepts only signed URLs.

mod object;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, COOKIE, HOST, IF_MATCH, RANGE, REFERER, USER_AGENT,
};
use http::request::Parts;
use tulip_core::JobId;

use self::object::Object;
use crate::api::text;
use crate::clock::http_date;
use crate::fault::{Fault, Reply};
use crate::instance::{Instance, job_of_path, url_number};
use crate::jobs::Visit;
use crate::log::AssetRequest;
use crate::presign::{PresignError, Signed};
use crate::respond::Delivery;
use crate::server::{Handler, Hangup, Request, Response};
use crate::wire::Orders;

/// Answers downloads.
pub(crate) struct AssetHost(pub(crate) Arc<Instance>);

impl Handler for AssetHost {
    async fn answer(self: Arc<Self>, request: Request, orders: Orders) -> Result<Response, Hangup> {
        let (head, _) = request.into_parts();
        let job = job_of_path(head.uri.path());
        let has_range = head.headers.contains_key(RANGE);
        let fault = self.0.take_asset_fault(job.as_ref(), has_range);
        let sent = Arc::default();
        let delivery = Delivery {
            fault: &fault,
            orders: &orders,
            now: self.0.clock.now(),
        };
        let response = match fault.instead(&head.uri) {
            Some(reply) => Ok(delivery.respond(&reply)),
            None if fault == Fault::Hangup => Err(Hangup),
            None => Ok(match self.serve(&head, job.as_ref(), &fault) {
                Ok(object) => object.response(&head, delivery, &sent),
                Err(reply) => delivery.respond(&reply),
            }),
        };
        let response = response.and_then(|response| match &fault {
            Fault::LostReply => Err(Hangup),
            _ => Ok(response),
        });
        let status = response.as_ref().ok().map(|r| r.status().as_u16());
        self.log(&head, job, status, sent);
        response
    }
}

impl AssetHost {
    /// Returns the object of a request, or the reply that refuses it.
    fn serve(&self, head: &Parts, job: Option<&JobId>, fault: &Fault) -> Result<Object, Reply> {
        let session = self.authenticate(head, job)?;
        let missing = || Reply::xml(404, "NoSuchKey", "The specified key does not exist.");
        let (machine, script, modified, request, budget, bytes) = {
            let mut jobs = self.0.jobs();
            let job = job.and_then(|job| jobs.get_mut(job)).ok_or_else(missing)?;
            let number = url_number(&session).ok_or_else(missing)?;
            let budget = match job.use_url(number) {
                Visit::Open(budget) => budget,
                Visit::NotFound => return Err(missing()),
                Visit::Expired => {
                    let refusal = job.script.asset.refusal.clone();
                    return Err(refusal.unwrap_or_else(|| Reply::expired(403)));
                }
            };
            let modified = http_date(job.created);
            let machine = job.info.machine.clone();
            let script = job.script.asset.clone();
            let request = job.asset_requests() as u64;
            let bytes = job.asset_bytes();
            (machine, script, modified, request, budget, bytes)
        };
        if let Fault::Expire { after } = fault {
            budget.shrink(*after);
        }
        let content = match fault {
            Fault::Replaced => self.0.replaced(&machine, &script),
            _ => self.0.content(&machine, &script),
        };
        let content = content.ok_or_else(missing)?;
        Ok(Object {
            content,
            script,
            modified,
            request,
            budget,
            counters: [Arc::clone(&self.0.asset_bytes), bytes],
        })
    }

    /// Checks the signature and returns the session that it covers.
    fn authenticate(&self, head: &Parts, job: Option<&JobId>) -> Result<String, Reply> {
        if head.headers.contains_key(AUTHORIZATION) {
            return Err(Reply::xml(
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
            PresignError::Missing => Reply::xml(403, "AccessDenied", "Access Denied"),
            PresignError::Parameters(name) => Reply::xml(
                400,
                "AuthorizationQueryParametersError",
                &format!("The query parameter {name} is missing or has an unusable value"),
            ),
            PresignError::Mismatch => Reply::xml(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. \
                 Check your key and signing method.",
            ),
            PresignError::Expired { at } => self.refusal(job).unwrap_or_else(|| {
                let rest = format!(
                    "<Expires>{}</Expires>",
                    humantime::format_rfc3339_seconds(at)
                );
                Reply::xml_with(403, "AccessDenied", "Request has expired", &rest)
            }),
        })
    }

    /// The reply to expired URLs in the script of `job`, if there is one.
    fn refusal(&self, job: Option<&JobId>) -> Option<Reply> {
        self.0.jobs().get(job?)?.script.asset.refusal.clone()
    }

    fn log(&self, head: &Parts, job: Option<JobId>, status: Option<u16>, sent: Arc<AtomicU64>) {
        let range = text(&head.headers, &RANGE);
        // The query is not logged: it contains the signature.
        tracing::info!(method = %head.method, path = head.uri.path(), range, status, "asset request");
        let request = AssetRequest {
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
            bytes: 0,
        };
        self.0.log_asset(request, sent);
    }
}
