//! From what is to be said to what goes out.

use http::{HeaderName, HeaderValue, StatusCode};

use crate::body::{AtLimit, Body};
use crate::fault::{Fault, Reply};
use crate::server::Response;
use crate::wire::Orders;

/// A reply as HTTP has it, with its own body.
pub(crate) fn respond(reply: &Reply, fault: &Fault, orders: &Orders) -> Response {
    respond_with(reply, Body::bytes(reply.body.clone()), fault, orders)
}

/// A reply as HTTP has it, with `body` in place of its own.
pub(crate) fn respond_with(reply: &Reply, body: Body, fault: &Fault, orders: &Orders) -> Response {
    let mut response = Response::new(spoil(body, fault, orders));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &reply.headers {
        let name = HeaderName::try_from(name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value.as_str())) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// Does to a body what a fault has it suffer.
fn spoil(body: Body, fault: &Fault, orders: &Orders) -> Body {
    match fault {
        Fault::Cut { after } => body.limited(*after, AtLimit::Cut(orders.clone())),
        Fault::Stall { after } => body.limited(*after, AtLimit::Stall),
        Fault::None | Fault::Reply(_) | Fault::Hangup => body,
    }
}
