//! The API host.

mod reply;
mod route;

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::Instant;
use tulip_core::{JobId, MachineId, Scope};

use self::reply::{ApiError, JobReply};
use self::route::{NoRoute, Route, route};
use crate::fault::{Endpoint, Fault, Reply};
use crate::instance::{CUSTOMER, Instance};
use crate::log::ApiRequest;
use crate::random::Random;
use crate::respond::Delivery;
use crate::server::{Handler, Hangup, Request, Response};
use crate::tokens::Refusal;
use crate::wire::Orders;

/// The largest request body that is read.
const BODY_LIMIT: usize = 64 * 1024;

/// Answers the API's requests.
pub(crate) struct Api(pub(crate) Arc<Instance>);

impl Handler for Api {
    async fn answer(self: Arc<Self>, request: Request, orders: Orders) -> Result<Response, Hangup> {
        let (head, body) = request.into_parts();
        let found = route(&head.method, head.uri.path());
        let endpoint = found.as_ref().ok().map(|route| route.endpoint);
        let id = |wanted| {
            let route = found.as_ref().ok()?;
            (route.endpoint == wanted).then_some(route.id.as_str())
        };
        let job = id(Endpoint::Status).and_then(|id| JobId::new(id).ok());
        let machine = id(Endpoint::Start).and_then(|id| MachineId::new(id).ok());
        let fault = endpoint.map_or(Fault::None, |at| self.0.take_fault(at, job.as_ref()));
        let reply = match fault.instead(&head.uri) {
            Some(reply) => Some(reply),
            None if fault == Fault::Hangup => None,
            None => {
                let body = Limited::new(body, BODY_LIMIT).collect().await;
                let body = body.ok().map(|body| body.to_bytes());
                let result = match found {
                    Ok(route) => self.serve(&route, &head.headers, body.as_deref()),
                    Err(none) => Err(refuse(none)),
                };
                Some(result.unwrap_or_else(|error| error.reply(&self.0)))
            }
        };
        let reply = reply.filter(|_| fault != Fault::LostReply);
        let status = reply.as_ref().map(|reply| reply.status);
        tracing::info!(method = %head.method, path = head.uri.path(), status, "API request");
        self.0.log_api(ApiRequest {
            endpoint,
            method: head.method.to_string(),
            path: shortened(head.uri.path().as_bytes()),
            machine,
            job,
            status,
            authorization: head.headers.contains_key(AUTHORIZATION),
            user_agent: text(&head.headers, &USER_AGENT),
            accept: text(&head.headers, &ACCEPT),
        });
        let delivery = Delivery {
            fault: &fault,
            orders: &orders,
            now: self.0.clock.now(),
        };
        Ok(delivery.respond(&reply.ok_or(Hangup)?))
    }
}

impl Api {
    fn serve(
        &self,
        route: &Route,
        headers: &HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<Reply, ApiError> {
        self.authorize(route, headers)?;
        match route.endpoint {
            Endpoint::Start => self.start(&route.id, body),
            Endpoint::Status => self.status(&route.id),
            Endpoint::Machines => Ok(Reply::json(200, &self.0.machines.types())),
            Endpoint::Asset => Err(ApiError::Internal("the API's host serves no assets")),
        }
    }

    fn authorize(&self, route: &Route, headers: &HeaderMap) -> Result<(), ApiError> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let header = given.next().map(|value| value.as_bytes());
        if given.next().is_some() {
            let details = "there is more than one Authorization header".to_owned();
            return Err(ApiError::BadRequest(details));
        }
        let scope = match route.endpoint {
            Endpoint::Start => Scope::MachinesWrite,
            _ => Scope::MachinesRead,
        };
        let asked = route.workspace.as_deref();
        let tokens = self.0.tokens();
        tokens
            .check(header, asked, &self.0.workspace, scope, Instant::now())
            .map_err(|refusal| match refusal {
                Refusal::Unauthenticated(details) => ApiError::Unauthorized(details),
                Refusal::Forbidden(details) => ApiError::Forbidden(details),
            })
    }

    fn start(&self, id: &str, body: Option<&[u8]>) -> Result<Reply, ApiError> {
        let body = body.map(<[u8]>::trim_ascii);
        if !matches!(body, Some(b"" | b"{}" | b"null")) {
            let details = "this call takes no body".to_owned();
            return Err(ApiError::BadRequest(details));
        }
        let machine = MachineId::new(id).map_err(|e| ApiError::BadRequest(e.to_string()))?;
        if self.0.machines.kind(&machine).is_none() {
            return Err(ApiError::NotFound(format!("there is no machine {id:?}")));
        }
        let script = self.0.scripts().take(&machine);
        let status = script.start_status.clone();
        let text = script.start_reply.clone();
        self.0.log_start(&machine);
        let job = self.0.add_job(None, machine, script);
        if let Some(text) = text {
            let text = text.replace("{id}", job.as_str());
            return Ok(Reply::new(200)
                .header("Content-Type", "application/json")
                .body(text));
        }
        let user = Random::of(self.0.seed, "user", 0).name(17);
        let workspace = self.0.workspace.as_str();
        let reply = JobReply::started(job.as_str(), &status, CUSTOMER, &user, workspace);
        Ok(Reply::json(200, &reply))
    }

    fn status(&self, id: &str) -> Result<Reply, ApiError> {
        let job = JobId::new(id).map_err(|error| ApiError::BadRequest(error.to_string()))?;
        let mut jobs = self.0.jobs();
        let Some(job) = jobs.get_mut(&job) else {
            return Err(ApiError::NotFound(format!("there is no job {id:?}")));
        };
        let found = job.poll(Instant::now());
        let resource = found.has_resource.then(|| match &job.script.resource {
            Some(text) => text.clone(),
            None => self.0.sign_url(job),
        });
        let details = found.details.as_deref();
        let id = job.script.status_id.as_deref().unwrap_or(id);
        let reply = JobReply::status(id, &found.status, resource.as_deref(), details);
        Ok(Reply::json(200, &reply))
    }
}

fn refuse(none: NoRoute) -> ApiError {
    match none {
        NoRoute::Path => ApiError::NotFound("there is no such path".to_owned()),
        NoRoute::Method(allowed) => ApiError::MethodNotAllowed(allowed),
        NoRoute::Encoding => ApiError::BadRequest("the path is not UTF-8".to_owned()),
    }
}

/// The most bytes that the log keeps of one text.
const MAX_LOGGED: usize = 1024;

/// The value of a header, for the log.
pub(crate) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(shortened(value.as_bytes()))
}

/// Shortens a text for the log, which must not grow with client input.
fn shortened(text: &[u8]) -> String {
    let kept = &text[..text.len().min(MAX_LOGGED)];
    String::from_utf8_lossy(kept).into_owned()
}
