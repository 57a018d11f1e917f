//! Helpers for the tests of all sinks.

use std::sync::Arc;

use bytes::Bytes;
use tulip_core::NetworkOptions;
use tulip_core::ObjectKey;
use tulip_core::sink::{OpenOptions, Sink, SinkError, SinkRegistry, StoredObject, WriteMode};

pub(crate) fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

pub(crate) fn bytes(length: usize, seed: usize) -> Bytes {
    (0..length).map(|i| ((i * 31 + seed) % 251) as u8).collect()
}

pub(crate) async fn connect(
    url: &str,
    options: &[(&str, &str)],
) -> Result<Arc<dyn Sink>, SinkError> {
    let mut url = url.parse().unwrap();
    for (name, value) in options {
        url = tulip_core::sink::SinkUrl::with_option(url, name, value);
    }
    let registry = SinkRegistry::linked().unwrap();
    registry.connect(&url, &NetworkOptions::default()).await
}

pub(crate) async fn put(
    sink: &dyn Sink,
    name: &str,
    content: &Bytes,
    mode: WriteMode,
) -> Result<StoredObject, SinkError> {
    let options = OpenOptions::default().with_mode(mode);
    let mut writer = sink.open(&key(name), &options).await?;
    let mut rest = content.clone();
    while !rest.is_empty() {
        writer.write(rest.split_to(rest.len().min(700_001))).await?;
    }
    writer.close().await
}
