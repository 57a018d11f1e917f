//! `s3://`, against a server that verifies signatures.

mod leftovers;
mod lists;
mod log;
mod lost_answers;
mod objects;
mod refusals;
mod uploads;

use std::error::Error as _;
use std::sync::Arc;

use tulip_core::sink::{Sink, SinkError};
use tulip_test_s3::{KEY_ID, S3Server, SECRET};

use crate::support::connect;

/// More than one part, and not a multiple of one.
const LARGE: usize = 17 * 1024 * 1024 + 17;

async fn sink_with(server: &S3Server, options: &[(&str, &str)]) -> Arc<dyn Sink> {
    let mut all = vec![
        ("endpoint", server.endpoint.as_str()),
        ("access_key_id", KEY_ID),
        ("secret_access_key", SECRET),
    ];
    all.extend_from_slice(options);
    connect("s3://lake/tulip", &all).await.unwrap()
}

async fn sink(server: &S3Server) -> Arc<dyn Sink> {
    sink_with(server, &[]).await
}

fn full(error: &SinkError) -> String {
    let cause = error.source().map(ToString::to_string);
    format!("{error}: {}", cause.unwrap_or_default())
}
