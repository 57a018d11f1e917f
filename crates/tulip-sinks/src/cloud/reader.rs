//! The body of an object.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tulip_core::sink::{SinkError, SinkReader};

use super::error::from_store;

/// The bytes of an object, in order.
pub(super) struct BodyReader {
    body: BoxStream<'static, object_store::Result<Bytes>>,
    location: String,
}

impl BodyReader {
    pub(super) fn new(object: object_store::GetResult, location: String) -> Self {
        Self {
            body: object.into_stream(),
            location,
        }
    }
}

#[async_trait]
impl SinkReader for BodyReader {
    async fn next(&mut self) -> Result<Option<Bytes>, SinkError> {
        loop {
            match self.body.next().await.transpose() {
                Ok(Some(chunk)) if chunk.is_empty() => {}
                Ok(chunk) => return Ok(chunk),
                Err(error) => {
                    return Err(from_store(error, format!("cannot read {}", self.location)));
                }
            }
        }
    }
}
