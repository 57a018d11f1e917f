//! Traces and metrics, as a collector receives them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tulip_emulator::{Emulator, JobScript};

use crate::support::{Bench, Ran, run};

/// One request to the collector.
struct Request {
    path: String,
    head: String,
    body: Vec<u8>,
}

/// A collector that accepts everything.
struct Collector {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let seen = requests.clone();
        // The thread ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, seen) = (stream.unwrap(), seen.clone());
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self { url, requests }
    }

    /// The bodies that were sent to `path`, as JSON.
    fn bodies(&self, path: &str) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        let sent = requests.iter().filter(|request| request.path == path);
        sent.map(|request| serde_json::from_slice(&request.body).unwrap())
            .collect()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Request>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let lower = head.to_ascii_lowercase();
        let length = lower.split_once("content-length: ").unwrap().1;
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        seen.lock().unwrap().push(Request { path, head, body });
        let reply = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
            content-length: 2\r\n\r\n{}";
        writer.write_all(reply.as_bytes()).unwrap();
    }
}

/// A plant of three machines, one of which fails with a message that contains a signed URL.
fn plant() -> Bench {
    let bench = Bench::of(Emulator::builder().machines(3).rows(20));
    let failing = JobScript::new().fails("see https://h/a.csv?X-Amz-Signature=p4ss");
    bench.emulator.script_next_of(&bench.machine(), failing);
    bench
}

fn export(bench: &Bench, endpoint: &str, env: &[(&str, &str)]) -> Ran {
    let mut command = bench.command();
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .envs(env.iter().copied());
    run(&mut command, &["export", "--all", "--to", "out"])
}

/// The value of an attribute of a span, a point or a resource. `None` if it has no such attribute.
fn attribute<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    let attributes = of["attributes"].as_array()?;
    let found = attributes
        .iter()
        .find(|attribute| attribute["key"] == name)?;
    found["value"].as_object()?.values().next()
}

#[test]
fn a_run_is_a_trace_of_its_exports_and_their_phases() {
    let (bench, collector) = (plant(), Collector::start());
    let env = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme"),
        ("OTEL_SERVICE_NAME", "plant-7"),
    ];
    let ran = export(&bench, &collector.url, &env);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(!ran.stderr.contains("OTEL"), "{ran:?}");
    let bodies = collector.bodies("/v1/traces");
    assert_eq!(bodies.len(), 1);
    let of_resource = &bodies[0]["resourceSpans"][0];
    let service = attribute(&of_resource["resource"], "service.name");
    assert_eq!(service.unwrap(), "plant-7");
    let spans = of_resource["scopeSpans"][0]["spans"].as_array().unwrap();
    let named =
        |name: &str| -> Vec<&Value> { spans.iter().filter(|span| span["name"] == name).collect() };
    let runs = named("tulip export");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["status"]["code"], 2, "{}", runs[0]);
    let exports = named("export");
    assert_eq!(exports.len(), 3);
    for export in exports {
        assert_eq!(export["parentSpanId"], runs[0]["spanId"]);
        assert_eq!(export["traceId"], runs[0]["traceId"]);
        assert!(attribute(export, "tulip.machine.id").is_some(), "{export}");
        assert!(attribute(export, "tulip.job.id").is_some(), "{export}");
        let phases = spans
            .iter()
            .filter(|span| span["parentSpanId"] == export["spanId"]);
        let phases: Vec<_> = phases.map(|span| span["name"].as_str().unwrap()).collect();
        assert!(
            phases.starts_with(&["waiting_to_start", "pending"]),
            "{phases:?}"
        );
        if attribute(export, "tulip.outcome").unwrap() == "stored" {
            assert_eq!(phases.last(), Some(&"storing"), "{phases:?}");
            assert!(attribute(export, "tulip.bytes").is_some(), "{export}");
        } else {
            assert_eq!(
                attribute(export, "tulip.outcome").unwrap(),
                "failed_at_tulip"
            );
            assert_eq!(attribute(export, "error.type").unwrap(), "job_failed");
            assert_eq!(export["status"]["code"], 2, "{export}");
        }
    }
    let requests = collector.requests.lock().unwrap();
    let has_header = |request: &Request| request.head.contains("x-tenant: acme");
    assert!(requests.iter().all(has_header));
}

#[test]
fn the_metrics_are_those_of_the_file() {
    let (bench, collector) = (plant(), Collector::start());
    let env = [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
    let ran = export(&bench, &collector.url, &env);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let bodies = collector.bodies("/v1/metrics");
    assert_eq!(bodies.len(), 1);
    let scope = &bodies[0]["resourceMetrics"][0]["scopeMetrics"][0];
    let metrics = scope["metrics"].as_array().unwrap();
    let points = |name: &str| -> Vec<Value> {
        let found = metrics.iter().find(|metric| metric["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name} in {scope}"));
        let kind = ["sum", "gauge", "histogram"]
            .iter()
            .find(|kind| found[**kind].is_object());
        found[*kind.unwrap()]["dataPoints"]
            .as_array()
            .unwrap()
            .clone()
    };
    let exports = points("tulip_exports");
    let stored = exports
        .iter()
        .find(|point| attribute(point, "outcome").unwrap() == "stored");
    assert_eq!(number(&stored.unwrap()["asInt"]), 2);
    let failures = points("tulip_export_failures");
    assert_eq!(attribute(&failures[0], "reason").unwrap(), "job_failed");
    assert_eq!(number(&points("tulip_run_success")[0]["asInt"]), 0);
    assert_eq!(number(&points("tulip_export_duration")[0]["count"]), 3);
    assert_eq!(points("tulip_machine_last_success_timestamp").len(), 2);
    assert!(number(&points("tulip_stored_bytes")[0]["asInt"]) > 0);
}

/// Reads a 64-bit number, which OTLP's JSON encodes as text.
fn number(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| value.as_u64()).unwrap()
}

#[test]
fn no_secret_and_no_signed_url_is_sent() {
    let (bench, collector) = (plant(), Collector::start());
    for protocol in ["http/protobuf", "http/json"] {
        let env = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
        let ran = export(&bench, &collector.url, &env);
        assert!(!ran.stderr.contains("OTEL"), "{ran:?}");
    }
    let credentials = bench.emulator.credentials();
    let requests = collector.requests.lock().unwrap();
    assert_eq!(requests.len(), 4);
    for request in requests.iter() {
        let text = String::from_utf8_lossy(&request.body);
        assert!(text.contains("tulip"), "{}", request.path);
        for secret in [
            credentials.key(),
            credentials.expose_secret(),
            "X-Amz-Signature=",
            "p4ss",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
            assert!(!request.head.contains(secret), "{}", request.head);
        }
    }
}

#[test]
fn a_collector_that_is_down_costs_a_warning_and_not_the_run() {
    let bench = Bench::of(Emulator::builder().machines(2).rows(20));
    // Nothing listens on a port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let ran = export(&bench, &format!("http://127.0.0.1:{port}"), &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let warning = "warning: cannot send traces and metrics: ";
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{ran:?}");
    assert!(
        ran.stderr
            .contains("hint: check OTEL_EXPORTER_OTLP_ENDPOINT"),
        "{ran:?}"
    );
    let ran = export(
        &bench,
        "http://127.0.0.1:1",
        &[("OTEL_SDK_DISABLED", "true")],
    );
    assert!(!ran.stderr.contains(warning), "{ran:?}");
}
