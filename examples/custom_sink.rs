//! A custom sink: it keeps only each object's line count, and prints it.
//!
//! It registers itself under `count://` at link time, so every registry finds it:
//! `cargo run -p tulip-examples --example custom_sink`
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::sync::Arc;

use bytes::Bytes;
use tulip_archive::{Client, Exporter, Settings, Source};
use tulip_core::NetworkOptions;
use tulip_core::ObjectKey;
use tulip_core::sink::{
    OpenOptions, Sink, SinkError, SinkErrorKind, SinkFactory, SinkUrl, SinkWriter, StoredObject,
    WriteMode, async_trait,
};
use tulip_emulator::Emulator;

tulip_core::register_sink!(CountFactory);

struct CountFactory;

#[async_trait]
impl SinkFactory for CountFactory {
    fn scheme(&self) -> &str {
        "count"
    }
    fn summary(&self) -> &str {
        "standard output, as a line count"
    }
    fn example(&self) -> &str {
        "count://stdout"
    }
    async fn connect(&self, _: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
        Ok(Arc::new(CountSink))
    }
}

#[derive(Debug)]
struct CountSink;

#[async_trait]
impl Sink for CountSink {
    fn scheme(&self) -> &str {
        "count"
    }
    fn location(&self, key: &ObjectKey) -> String {
        format!("count://stdout/{key}")
    }
    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        if options.mode == WriteMode::Create {
            let what = "the count sink keeps no objects";
            return Err(SinkError::new(SinkErrorKind::Unsupported, what));
        }
        let key = key.clone();
        Ok(Box::new(Counter {
            key,
            bytes: 0,
            lines: 0,
        }))
    }
}

struct Counter {
    key: ObjectKey,
    bytes: u64,
    lines: usize,
}

#[async_trait]
impl SinkWriter for Counter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        self.bytes += chunk.len() as u64;
        self.lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        Ok(())
    }
    /// The object becomes visible only here: an archive that breaks off is never printed.
    async fn close(self: Box<Self>) -> Result<StoredObject, SinkError> {
        println!("{}: {} lines", self.key, self.lines);
        Ok(StoredObject::new(self.bytes))
    }
    async fn abort(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::start().await?;
    let settings = Settings::new(emulator.base_url(), emulator.credentials());
    let client = Client::builder(settings).build()?;
    let exporter = Exporter::builder(client)
        .to("count://stdout")
        .build()
        .await?;
    for machine in emulator.machine_ids() {
        exporter.export(Source::machine(machine)).await?;
    }
    Ok(())
}
