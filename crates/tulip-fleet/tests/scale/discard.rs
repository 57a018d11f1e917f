//! A sink that keeps nothing.

use bytes::Bytes;
use tulip_core::ObjectKey;
use tulip_core::sink::{OpenOptions, Sink, SinkError, SinkWriter, StoredObject, async_trait};

#[derive(Debug)]
pub(crate) struct Discard;

struct Counted(u64);

#[async_trait]
impl Sink for Discard {
    fn scheme(&self) -> &str {
        "discard"
    }

    fn location(&self, key: &ObjectKey) -> String {
        format!("discard://{key}")
    }

    async fn open(&self, _: &ObjectKey, _: &OpenOptions) -> Result<Box<dyn SinkWriter>, SinkError> {
        Ok(Box::new(Counted(0)))
    }
}

#[async_trait]
impl SinkWriter for Counted {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.0 += chunk.len() as u64;
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
        Ok(StoredObject::new(self.0))
    }

    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}
