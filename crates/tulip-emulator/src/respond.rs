//! Turning replies into HTTP responses.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::body::{AtLimit, Body};
use crate::clock::http_date;
use crate::fault::{Fault, Reply};
use crate::server::Response;
use crate::wire::{Order, Orders};

/// How a reply is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub(crate) fault: &'a Fault,
    pub(crate) orders: &'a Orders,
    pub(crate) now: SystemTime,
}

impl Delivery<'_> {
    /// Turns a reply into a response with its own body.
    pub(crate) fn respond(self, reply: &Reply) -> Response {
        self.respond_with(reply, Body::bytes(reply.body.clone()))
    }

    /// Turns a reply into a response with `body` instead of its own. A length among its headers is
    /// announced, whatever the body's length is.
    pub(crate) fn respond_with(self, reply: &Reply, body: Body) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in &reply.headers {
            let name = match name.eq_ignore_ascii_case("transfer-encoding") {
                true => self.orders.transfer_encoding(),
                false => name,
            };
            let name = HeaderName::try_from(name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value.as_str())) {
                headers.append(name, value);
            }
        }
        if let Some(wait) = reply.retry_date {
            let date = http_date(self.now + wait + Duration::from_nanos(999_999_999));
            if let Ok(date) = HeaderValue::try_from(date) {
                headers.insert(RETRY_AFTER, date);
            }
        }
        let mut body = self.spoil(body);
        if headers.contains_key(CONTENT_LENGTH) {
            body = body.unannounced();
        }
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = headers;
        response
    }

    /// Applies the fault to a body.
    fn spoil(self, body: Body) -> Body {
        let end = |order| AtLimit::End(self.orders.clone(), order);
        match self.fault {
            Fault::Cut { after } | Fault::Expire { after } => {
                body.limited(*after, end(Order::Close))
            }
            Fault::Reset { after } => body.limited(*after, end(Order::Reset)),
            Fault::Stall { after } => body.limited(*after, AtLimit::Stall),
            Fault::Drip {
                after,
                piece,
                pause,
            } => body.dripping(*after, *piece, *pause),
            Fault::Endless => body.filled(u64::MAX).unannounced(),
            Fault::Trickle { piece, pause } => body
                .filled(u64::MAX)
                .unannounced()
                .dripping(0, *piece, *pause),
            Fault::Before(bytes) => body.preceded(bytes.clone()),
            Fault::Surplus(bytes) => body.followed(bytes.clone(), self.orders),
            _ => body,
        }
    }
}
