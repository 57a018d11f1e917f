//! What the tests of all sinks use.

use std::io;
use std::sync::{Arc, Mutex};

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

/// What is logged, in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Takes what this thread logs as long as the guard lives.
    pub(crate) fn listen(&self) -> impl Drop {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}
