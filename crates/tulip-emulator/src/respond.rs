//! From what is to be said to what goes out.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::body::{AtLimit, Body};
use crate::fault::{Fault, Reply};
use crate::server::Response;
use crate::wire::{Order, Orders};

/// A reply as HTTP has it, with its own body.
pub(crate) fn respond(reply: &Reply, fault: &Fault, orders: &Orders) -> Response {
    respond_with(reply, Body::bytes(reply.body.clone()), fault, orders)
}

/// A reply as HTTP has it, with `body` in place of its own. A length among its headers is
/// announced, whatever the body's is.
pub(crate) fn respond_with(reply: &Reply, body: Body, fault: &Fault, orders: &Orders) -> Response {
    let mut headers = HeaderMap::new();
    for (name, value) in &reply.headers {
        let name = HeaderName::try_from(name.as_str());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value.as_str())) {
            headers.append(name, value);
        }
    }
    let mut body = spoil(body, fault, orders);
    if headers.contains_key(CONTENT_LENGTH) {
        body = body.unannounced();
    }
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

/// Does to a body what a fault has it suffer.
fn spoil(body: Body, fault: &Fault, orders: &Orders) -> Body {
    let end = |order| AtLimit::End(orders.clone(), order);
    match fault {
        Fault::Cut { after } => body.limited(*after, end(Order::Close)),
        Fault::Reset { after } => body.limited(*after, end(Order::Reset)),
        Fault::Stall { after } => body.limited(*after, AtLimit::Stall),
        Fault::Drip {
            after,
            piece,
            pause,
        } => body.dripping(*after, *piece, *pause),
        Fault::Endless => body.filled(u64::MAX).unannounced(),
        Fault::Surplus(bytes) => body.followed(bytes.clone(), orders),
        Fault::None | Fault::Reply(_) | Fault::Hangup | Fault::LostReply => body,
    }
}
