//! Errors as S3 writes them.

use crate::fault::Reply;

/// An error of this code.
pub(super) fn xml(status: u16, code: &str, message: &str) -> Reply {
    xml_with(status, code, message, "")
}

/// An error with more elements, `rest`.
pub(super) fn xml_with(status: u16, code: &str, message: &str, rest: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message>{rest}<RequestId>EMULATED00000000</RequestId></Error>"
    );
    Reply::new(status)
        .header("Content-Type", "application/xml")
        .header("Server", "AmazonS3")
        .body(body)
}
