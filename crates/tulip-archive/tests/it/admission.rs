//! When an export asks for its turn, and how long the turn lasts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tulip_archive::{Admission, Event, Exporter, Permit, Source, Turn};
use tulip_emulator::{Endpoint, Reply};

use crate::support::{Bench, fast};

type Log = Arc<Mutex<Vec<&'static str>>>;

/// Lets everybody pass, and writes down what happens.
#[derive(Debug)]
struct Recorder(Log);

/// Writes down its end.
struct Ends(Log, &'static str);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

impl Recorder {
    fn turn(&self, begins: &'static str, ends: &'static str) -> Turn<'_, Permit> {
        self.0.lock().unwrap().push(begins);
        let permit = Box::new(Ends(self.0.clone(), ends));
        Box::pin(async { permit as Permit })
    }
}

impl Admission for Recorder {
    fn start(&self) -> Turn<'_, Permit> {
        self.turn("may start", "start is over")
    }

    fn download(&self) -> Turn<'_, Permit> {
        self.turn("may download", "download is over")
    }
}

#[tokio::test]
async fn each_start_has_a_turn_of_its_own_that_lasts_until_it_is_answered() {
    let bench = Bench::start().await;
    let busy = Reply::busy(429).retry_after(Duration::ZERO);
    bench.emulator.fail_next(Endpoint::Start, 1, busy);
    let exporter = Exporter::builder(bench.client())
        .to(bench.folder.path().to_str().unwrap())
        .poll(fast());
    let exporter = exporter.build().await.unwrap();
    let log = Log::default();
    let events = log.clone();
    let source = Source::machine(bench.emulator.machine_ids()[0].clone());
    let export = exporter
        .export(source)
        .admission(Arc::new(Recorder(log.clone())))
        .on_event(move |event| match event {
            Event::StartRefused => events.lock().unwrap().push("refused"),
            Event::Started { .. } => events.lock().unwrap().push("started"),
            Event::Exported { .. } => events.lock().unwrap().push("exported"),
            _ => {}
        });
    export.await.unwrap();
    assert_eq!(
        *log.lock().unwrap(),
        [
            "may start",
            "refused",
            "start is over",
            "may start",
            "started",
            "start is over",
            "may download",
            "exported",
            "download is over",
        ]
    );
}
