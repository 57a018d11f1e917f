//! A run as a trace: a span for the run, one below it for each export, and one below that for each
//! phase of the export.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SpanData};
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
use tulip_fleet::{ItemOutcome, ItemSummary, RunSummary};

/// All spans of a run.
pub(super) fn of(run: &RunSummary) -> Vec<SpanData> {
    let mut trace = Trace {
        id: RandomIdGenerator::default().new_trace_id(),
        spans: Vec::with_capacity(run.items.len() * 6 + 1),
    };
    let root = trace.add(
        SpanId::INVALID,
        "tulip export",
        whole(run),
        run_attributes(run),
    );
    if !run.is_success() {
        let why = run
            .reason
            .clone()
            .unwrap_or_else(|| "not every archive is stored".to_owned());
        trace.fail(why);
    }
    for item in &run.items {
        trace.export(root, item);
    }
    trace.spans
}

/// A trace under construction.
struct Trace {
    id: TraceId,
    spans: Vec<SpanData>,
}

impl Trace {
    fn export(&mut self, run: SpanId, item: &ItemSummary) {
        let ended = item.ended.as_system_time();
        let first = item
            .phases
            .first()
            .map(|phase| phase.started)
            .or(item.started);
        let started = first.map_or(ended, |first| first.as_system_time());
        let span = self.add(run, "export", (started, ended), item_attributes(item));
        if !item.outcome.is_success() {
            self.fail(item.error.clone().unwrap_or_default());
        }
        for phase in &item.phases {
            let started = phase.started.as_system_time();
            let took = Duration::try_from_secs_f64(phase.seconds).unwrap_or_default();
            let ended = started.checked_add(took).unwrap_or(started);
            self.add(span, phase.phase.clone(), (started, ended), Vec::new());
        }
    }

    fn add(
        &mut self,
        parent: SpanId,
        name: impl Into<std::borrow::Cow<'static, str>>,
        (start_time, end_time): (SystemTime, SystemTime),
        attributes: Vec<KeyValue>,
    ) -> SpanId {
        let id = RandomIdGenerator::default().new_span_id();
        let state = TraceState::NONE;
        self.spans.push(SpanData {
            span_context: SpanContext::new(self.id, id, TraceFlags::SAMPLED, false, state),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time,
            end_time: end_time.max(start_time),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("tulip")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        });
        id
    }

    /// Marks the span that was added last as failed.
    fn fail(&mut self, why: String) {
        if let Some(span) = self.spans.last_mut() {
            span.status = Status::error(why);
        }
    }
}

fn whole(run: &RunSummary) -> (SystemTime, SystemTime) {
    (run.started.as_system_time(), run.ended.as_system_time())
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn run_attributes(run: &RunSummary) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("tulip.run.id", run.id.clone()),
        KeyValue::new("tulip.run.end", run.end.as_str()),
        KeyValue::new("tulip.instance", run.instance.clone()),
        KeyValue::new("tulip.target", run.target.clone()),
        KeyValue::new("tulip.run.exports", number(run.items.len() as u64)),
        KeyValue::new("tulip.run.bytes", number(run.stored_bytes())),
        KeyValue::new("tulip.run.records", number(run.stored_records())),
    ];
    attributes.extend(ItemOutcome::all().map(|outcome| {
        let count = number(run.count(outcome) as u64);
        KeyValue::new(format!("tulip.run.{outcome}"), count)
    }));
    attributes
}

fn item_attributes(item: &ItemSummary) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("tulip.outcome", item.outcome.as_str()),
        KeyValue::new("tulip.attempts", i64::from(item.attempts)),
    ];
    let texts = [
        (
            "tulip.machine.id",
            item.machine.as_ref().map(ToString::to_string),
        ),
        ("tulip.machine.name", item.machine_name.clone()),
        ("tulip.job.id", item.job.as_ref().map(ToString::to_string)),
        (
            "tulip.object.key",
            item.key.as_ref().map(ToString::to_string),
        ),
        ("error.type", item.error_kind.clone()),
        ("tulip.error_unique_id", item.error_unique_id.clone()),
    ];
    let known = texts
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)));
    attributes.extend(known.map(|(name, text)| KeyValue::new(name, text)));
    let numbers = [("tulip.bytes", item.bytes), ("tulip.records", item.records)];
    let known = numbers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    attributes.extend(known.map(|(name, value)| KeyValue::new(name, number(value))));
    attributes
}
