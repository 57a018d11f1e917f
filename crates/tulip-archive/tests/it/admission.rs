//! When an export asks for its turn, and how long the turn lasts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tulip_archive::{Admission, Event, Export, ExportErrorKind, Exporter, Permit, Source, Turn};
use tulip_emulator::{Endpoint, JobScript, Reply};

use crate::support::{Bench, fast};

type Log = Arc<Mutex<Vec<&'static str>>>;

/// Admits every export, and records what happens.
#[derive(Debug)]
struct Recorder(Log);

/// Records when it is dropped.
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

    fn transfer(&self, length: Option<u64>) -> Turn<'_, Permit> {
        assert!(length.is_some_and(|length| length > 0));
        self.turn("may transfer", "transfer is over")
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
            "may transfer",
            "transfer is over",
            "exported",
            "download is over",
        ]
    );
}

/// Makes transfers wait for a permit of the semaphore.
#[derive(Debug)]
struct Deferring(Arc<Semaphore>);

impl Admission for Deferring {
    fn start(&self) -> Turn<'_, Permit> {
        Box::pin(async { Box::new(()) as Permit })
    }

    fn download(&self) -> Turn<'_, Permit> {
        self.start()
    }

    fn transfer(&self, _: Option<u64>) -> Turn<'_, Permit> {
        Box::pin(async { Box::new(self.0.clone().acquire_owned().await.unwrap()) as Permit })
    }
}

/// An export that is deferred until the semaphore has a permit, and its events.
async fn deferred(
    bench: &Bench,
    turns: &Arc<Semaphore>,
) -> (Export, mpsc::UnboundedReceiver<&'static str>) {
    let exporter = Exporter::builder(bench.client())
        .to(bench.folder.path().to_str().unwrap())
        .poll(fast());
    let exporter = exporter.build().await.unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    let source = Source::machine(bench.emulator.machine_ids()[0].clone());
    let export = exporter
        .export(source)
        .admission(Arc::new(Deferring(turns.clone())))
        .on_event(move |event| {
            let _ = match event {
                Event::Opening => tell.send("opening"),
                Event::Deferred { length } => {
                    assert!(length.is_some_and(|length| length > 0));
                    tell.send("deferred")
                }
                Event::Downloading { .. } => tell.send("downloading"),
                _ => Ok(()),
            };
        });
    (export, told)
}

#[tokio::test]
async fn an_archive_whose_transfer_has_to_wait_is_asked_for_again() {
    let bench = Bench::start().await;
    // By then, the first URL is no longer valid.
    let script = JobScript::new().url_requests(1);
    bench.emulator.set_default_script(script);
    let turns = Arc::new(Semaphore::new(0));
    let (export, mut told) = deferred(&bench, &turns).await;
    let export = tokio::spawn(async { export.await });
    assert_eq!(told.recv().await, Some("opening"));
    assert_eq!(told.recv().await, Some("deferred"));
    assert_eq!(bench.files(), Vec::<String>::new());
    turns.add_permits(1);
    export.await.unwrap().unwrap();
    assert_eq!(told.recv().await, Some("opening"));
    assert_eq!(told.recv().await, Some("downloading"));
    assert_eq!(bench.files().len(), 2);
}

#[tokio::test]
async fn a_transfer_that_waits_can_be_cancelled() {
    let bench = Bench::start().await;
    let turns = Arc::new(Semaphore::new(0));
    let (export, mut told) = deferred(&bench, &turns).await;
    let token = CancellationToken::new();
    let cancelled = token.clone().cancelled_owned();
    let export = tokio::spawn(async { export.until(cancelled).await });
    while told.recv().await != Some("deferred") {}
    token.cancel();
    let error = export.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Interrupted);
    assert_eq!(bench.files(), Vec::<String>::new());
}
