//! Traces and metrics of a run, sent over OTLP when it ends.
//!
//! Like the report, they are made from the summary of the run alone, so no log line and no URL of a
//! request can get into a span.

mod client;
mod metrics;
mod spans;

use std::time::Duration;

use opentelemetry_otlp::{MetricExporter, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use tokio::runtime::Handle;
use tulip_core::NetworkOptions;
use tulip_fleet::RunSummary;
use tulip_http::Transport;

use self::client::OverTransport;
use crate::failure::chain;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// How long sending may take in all.
const LIMIT: Duration = Duration::from_secs(10);

/// How long sending may take after a request to stop.
const HURRIED: Duration = Duration::from_secs(2);

/// How many spans are sent in one request.
const BATCH: usize = 1000;

/// The signals that the standard variables of OpenTelemetry ask for.
struct Wanted {
    traces: bool,
    metrics: bool,
}

impl Wanted {
    fn by(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_off =
            variable("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
        let is_wanted = |signal: &str| {
            let has_endpoint = variable("OTEL_EXPORTER_OTLP_ENDPOINT").is_some()
                || variable(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")).is_some();
            let exporter = variable(&format!("OTEL_{signal}_EXPORTER"));
            has_endpoint && !is_off && exporter.is_none_or(|name| name == "otlp")
        };
        Self {
            traces: is_wanted("TRACES"),
            metrics: is_wanted("METRICS"),
        }
    }

    fn from_env() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::by(set)
    }
}

/// Sends traces and metrics of a run to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT`, or its
/// variant for one signal, names; does nothing if none is set. Warns if they cannot be sent.
pub(crate) async fn send(
    run: &RunSummary,
    network: &NetworkOptions,
    progress: &Progress,
    shutdown: &Shutdown,
) {
    let wanted = Wanted::from_env();
    if !wanted.traces && !wanted.metrics {
        return;
    }
    let (run, network) = (run.clone(), network.clone());
    // The exporters block their thread while they wait.
    let sending = tokio::task::spawn_blocking(move || send_now(&wanted, &run, &network));
    let limit = async {
        let hurried = async {
            shutdown.wait().await;
            tokio::time::sleep(HURRIED).await;
        };
        tokio::select! {
            () = tokio::time::sleep(LIMIT) => {}
            () = hurried => {}
        }
    };
    let failed = tokio::select! {
        sent = sending => sent.unwrap_or_else(|error| vec![error.to_string()]),
        () = limit => vec!["the collector did not answer in time".to_owned()],
    };
    let hint = "check OTEL_EXPORTER_OTLP_ENDPOINT, and whether the collector takes OTLP over HTTP";
    for why in failed {
        progress.warn(
            &format!("cannot send traces and metrics: {why}"),
            Some(hint),
        );
    }
}

/// Sends the wanted signals, and returns why any could not be sent.
fn send_now(wanted: &Wanted, run: &RunSummary, network: &NetworkOptions) -> Vec<String> {
    let client = match Transport::new(network) {
        Ok(transport) => OverTransport::new(transport),
        Err(error) => return vec![chain(&error)],
    };
    let mut failed = Vec::new();
    if wanted.traces
        && let Err(error) = send_spans(run, &client)
    {
        failed.push(client.why(error));
    }
    if wanted.metrics
        && let Err(error) = send_metrics(run, &client)
    {
        failed.push(client.why(error));
    }
    // Both usually fail for the same reason.
    failed.dedup();
    failed
}

type Sent = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn send_spans(run: &RunSummary, client: &OverTransport) -> Sent {
    let builder = SpanExporter::builder().with_http();
    let mut exporter = builder.with_http_client(client.clone()).build()?;
    exporter.set_resource(&resource());
    let spans = spans::of(run);
    for batch in spans.chunks(BATCH) {
        Handle::current().block_on(exporter.export(batch.to_vec()))?;
    }
    Ok(())
}

fn send_metrics(run: &RunSummary, client: &OverTransport) -> Sent {
    let builder = MetricExporter::builder().with_http();
    let exporter = builder.with_http_client(client.clone()).build()?;
    metrics::send(run, exporter, resource())?;
    Ok(())
}

/// The sender. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say more about it.
fn resource() -> Resource {
    let builder = Resource::builder();
    let has_name = ["OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"]
        .iter()
        .any(|name| {
            let value = std::env::var(name).unwrap_or_default();
            !value.is_empty() && (*name == "OTEL_SERVICE_NAME" || value.contains("service.name="))
        });
    let builder = match has_name {
        true => builder,
        false => builder.with_service_name("tulip"),
    };
    builder
        .with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            env!("CARGO_PKG_VERSION"),
        ))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_sent_where_an_endpoint_is_named_and_they_are_not_switched_off() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for (set, traces, metrics) in [
            (&[][..], false, false),
            (&[endpoint], true, true),
            (&[endpoint, ("OTEL_SDK_DISABLED", "true")], false, false),
            (&[endpoint, ("OTEL_TRACES_EXPORTER", "none")], false, true),
            (&[endpoint, ("OTEL_METRICS_EXPORTER", "otlp")], true, true),
            (
                &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/t")],
                true,
                false,
            ),
        ] {
            let wanted = Wanted::by(|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(
                (wanted.traces, wanted.metrics),
                (traces, metrics),
                "{set:?}"
            );
        }
    }
}
