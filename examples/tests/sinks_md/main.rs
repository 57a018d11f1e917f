//! The sink that docs/sinks.md prints keeps the contract as it is printed.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

#[rustfmt::skip]
#[expect(unreachable_pub, reason = "it stands here as it would in the lib.rs of a crate")]
mod mine;

use std::sync::Arc;

use tulip_core::NetworkOptions;
use tulip_core::ObjectKey;
use tulip_core::sink::conformance::{self, Failure, Fixture};
use tulip_core::sink::{Sink, SinkRegistry, async_trait};

struct Mine(Arc<dyn Sink>);

#[async_trait]
impl Fixture for Mine {
    fn sink(&self) -> Arc<dyn Sink> {
        self.0.clone()
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure> {
        Ok(mine::OBJECTS.lock().unwrap().get(key.as_str()).cloned())
    }
}

#[tokio::test]
async fn the_printed_sink_keeps_the_contract() {
    let registry = SinkRegistry::linked().unwrap();
    let url = "mine://x".parse().unwrap();
    let sink = registry.connect(&url, &NetworkOptions::default()).await;
    let report = conformance::run(&Mine(sink.unwrap())).await;
    report.assert_passed();
}

#[test]
fn it_is_printed_as_it_was_tested() {
    let page = include_str!("../../../docs/sinks.md");
    let (_, rest) = page.split_once("```rust\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    // What rustdoc hides makes a documentation test of it.
    let shown: Vec<_> = block
        .lines()
        .filter(|line| !line.starts_with("# "))
        .collect();
    let tested = include_str!("mine.rs");
    assert_eq!(shown.join("\n").trim_end(), tested.trim_end());
}
