use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tulip_core::sink::{
    OpenOptions, Sink, SinkError, SinkErrorKind, SinkFactory, SinkUrl, SinkWriter, StoredObject,
    WriteMode, async_trait,
};
use tulip_core::{NetworkOptions, ObjectKey};

tulip_core::register_sink!(MineFactory);

pub static OBJECTS: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());

pub struct MineFactory;

#[async_trait]
impl SinkFactory for MineFactory {
    fn scheme(&self) -> &str { "mine" }
    fn summary(&self) -> &str { "the memory of this process" }
    fn example(&self) -> &str { "mine://x" }
    async fn connect(&self, _: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
        Ok(Arc::new(MineSink))
    }
}

#[derive(Debug)]
struct MineSink;

#[async_trait]
impl Sink for MineSink {
    fn scheme(&self) -> &str { "mine" }
    fn location(&self, key: &ObjectKey) -> String { format!("mine://x/{key}") }
    async fn open(&self, key: &ObjectKey, how: &OpenOptions) -> Result<Box<dyn SinkWriter>, SinkError> {
        if how.mode == WriteMode::Create {
            let what = "mine:// can only overwrite objects";
            return Err(SinkError::new(SinkErrorKind::Unsupported, what));
        }
        Ok(Box::new(MineWriter { key: key.to_string(), bytes: Vec::new() }))
    }
}

struct MineWriter { key: String, bytes: Vec<u8> }

#[async_trait]
impl SinkWriter for MineWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.bytes.extend_from_slice(&chunk);
        Ok(())
    }
    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
        let stored = StoredObject::new(self.bytes.len() as u64);
        OBJECTS.lock().expect("no panic while locked").insert(self.key, self.bytes);
        Ok(stored)
    }
    async fn abort(self: Box<Self>) -> Result<(), SinkError> { Ok(()) }
}
