//! Exports that end early, and the next run of the same export.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tulip_archive::{
    Event, ExportErrorKind, Exporter, ExporterBuilder, KeyTemplate, MachineId, OpenExport, Outcome,
    Source, StateStore,
};
use tulip_emulator::{Endpoint, Fault, JobScript, Reply};

use crate::support::{Bench, receipt};

const ROWS: u64 = 120_000;
/// Some 45 MB: more than lies between two checkpoints.
const MANY_ROWS: u64 = 420_000;

struct Resumable {
    bench: Bench,
    state: TempDir,
    machine: MachineId,
}

/// What an export told, in a word each.
type Told = Arc<Mutex<Vec<&'static str>>>;

impl Resumable {
    async fn start() -> Self {
        let bench = Bench::start().await;
        let machine = bench.emulator.machine_ids()[0].clone();
        Self {
            bench,
            state: TempDir::new().unwrap(),
            machine,
        }
    }

    fn store(&self) -> StateStore {
        StateStore::open(self.state.path()).unwrap()
    }

    fn builder(&self) -> ExporterBuilder {
        self.bench
            .exporter()
            .name(KeyTemplate::parse("latest.csv").unwrap())
            .state(self.store())
    }

    async fn exporter(&self) -> Exporter {
        self.builder().build().await.unwrap()
    }

    async fn discard(&self, open: &OpenExport) -> bool {
        let sink = self.exporter().await.sink().clone();
        self.store().discard(open, sink.as_ref()).await.unwrap()
    }

    fn source(&self) -> Source {
        Source::machine(self.machine.clone())
    }

    fn state_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.state.path()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn starts(&self) -> usize {
        self.bench.emulator.requests().starts(&self.machine)
    }

    fn whole(&self) -> Vec<u8> {
        let jobs = self.bench.emulator.jobs();
        self.bench.content(&jobs.last().unwrap().id)
    }

    fn staged(&self) -> Vec<PathBuf> {
        let names = self.bench.files().into_iter();
        names
            .filter(|name| name.ends_with(".partial"))
            .map(|name| self.bench.folder.path().join(name))
            .collect()
    }

    /// Begins the export and ends it in order once so many bytes have arrived.
    async fn cancel_at(&self, reached: u64) {
        let (end, ended) = oneshot::channel::<()>();
        let mut end = Some(end);
        let error = self
            .exporter()
            .await
            .export(self.source())
            .on_event(move |event| {
                if matches!(event, Event::Progress { bytes, .. } if bytes > reached) {
                    end.take();
                }
            })
            .until(async {
                let _ = ended.await;
            })
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::Cancelled);
    }

    async fn run(&self, builder: ExporterBuilder) -> (Outcome, Vec<&'static str>) {
        let exporter = builder.build().await.unwrap();
        let (told, tell) = telling();
        let outcome = exporter.export(self.source()).on_event(tell).await.unwrap();
        let told = told.lock().unwrap().clone();
        (outcome, told)
    }
}

fn telling() -> (Told, impl FnMut(Event<'_>) + Send) {
    let told = Told::default();
    let tells = told.clone();
    let tell = move |event: Event<'_>| {
        let word = match event {
            Event::Started { .. } => "started",
            Event::Attached { .. } => "attached",
            Event::Downloading { .. } => "downloading",
            Event::Resuming { .. } => "resuming",
            Event::Exported { .. } => "exported",
            Event::Unchanged { .. } => "unchanged",
            _ => return,
        };
        tells.lock().unwrap().push(word);
    };
    (told, tell)
}

#[tokio::test]
async fn a_cancelled_export_goes_on_with_its_job_and_its_bytes() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(ROWS);
    let stalls = [Fault::Stall { after: 9_000_000 }];
    it.bench.emulator.script_next(script.asset_faults(stalls));
    it.cancel_at(5_000_000).await;
    assert_eq!(it.staged().len(), 1);
    assert!(!it.bench.folder.path().join("latest.csv").exists());
    let before = it.bench.emulator.requests().asset_bytes;
    let (outcome, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "exported"]);
    let whole = it.whole();
    assert_eq!(it.bench.read("latest.csv"), whole);
    assert_eq!(receipt(&outcome).bytes, whole.len() as u64);
    assert_eq!(it.bench.files(), ["latest.csv", "latest.csv.receipt.json"]);
    assert_eq!(it.starts(), 1);
    let sent = it.bench.emulator.requests().asset_bytes - before;
    assert!(sent < whole.len() as u64 - 4_000_000, "{sent}");
    assert!(it.state_files().is_empty());
}

/// A dropped future leaves what a killed process does.
#[tokio::test]
async fn what_a_dropped_export_had_written_by_its_last_checkpoint_is_gone_on_with() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(MANY_ROWS);
    let stalls = [Fault::Stall { after: 40_000_000 }];
    it.bench.emulator.script_next(script.asset_faults(stalls));
    let (far, reached) = oneshot::channel::<()>();
    let mut far = Some(far);
    let exporter = it.exporter().await;
    let export = exporter.export(it.source()).on_event(move |event| {
        if matches!(event, Event::Progress { bytes, .. } if bytes > 39_000_000) {
            far.take();
        }
    });
    tokio::select! {
        _ = export.into_future() => panic!("the host stalls"),
        _ = reached => {}
    }
    let before = it.bench.emulator.requests().asset_bytes;
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "exported"]);
    let whole = it.whole();
    assert!(it.bench.read("latest.csv") == whole);
    let sent = it.bench.emulator.requests().asset_bytes - before;
    assert!(sent < whole.len() as u64 - 33_000_000, "{sent}");
    assert_eq!((it.starts(), it.staged().len()), (1, 0));
}

#[tokio::test]
async fn an_archive_that_has_changed_between_two_runs_is_downloaded_anew() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(ROWS).asset_always(Fault::Replaced);
    let stalls = [Fault::Stall { after: 9_000_000 }];
    it.bench.emulator.script_next(script.asset_faults(stalls));
    it.cancel_at(5_000_000).await;
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "downloading", "exported"]);
    let job = it.bench.emulator.jobs().last().unwrap().id.clone();
    let replaced = it.bench.emulator.replaced_content(&job).unwrap();
    assert_eq!(it.bench.read("latest.csv"), replaced.to_bytes());
    assert_eq!(it.bench.files(), ["latest.csv", "latest.csv.receipt.json"]);
}

#[tokio::test]
async fn what_is_not_what_was_written_is_not_gone_on_with() {
    for damage in ["changed", "shortened", "removed"] {
        let it = Resumable::start().await;
        let script = JobScript::new().rows(ROWS);
        let stalls = [Fault::Stall { after: 9_000_000 }];
        it.bench.emulator.script_next(script.asset_faults(stalls));
        it.cancel_at(5_000_000).await;
        let staged = it.staged().remove(0);
        let mut bytes = std::fs::read(&staged).unwrap();
        match damage {
            "changed" => bytes[1_234_567] ^= 1,
            _ => bytes.truncate(1_000),
        }
        std::fs::write(&staged, bytes).unwrap();
        if damage == "removed" {
            std::fs::remove_file(&staged).unwrap();
        }
        let (_, told) = it.run(it.builder()).await;
        assert_eq!(told, ["attached", "downloading", "exported"], "{damage}");
        assert_eq!(it.bench.read("latest.csv"), it.whole(), "{damage}");
        assert_eq!(it.bench.files(), ["latest.csv", "latest.csv.receipt.json"]);
    }
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_followed_by_no_other() {
    let it = Resumable::start().await;
    let emulator = &it.bench.emulator;
    emulator.fail_next(Endpoint::Start, 1, Fault::LostReply);
    let exporter = it.exporter().await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Api);
    for _ in 0..2 {
        let error = exporter.export(it.source()).await.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::StartUnknown, "{error}");
        assert!(
            error.to_string().contains("may have been started"),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
    assert_eq!(it.starts(), 1);
    // The person has looked.
    let open = it.store().list().unwrap().remove(0);
    assert!(open.is_start_unknown() && !open.running && open.job().is_none());
    assert!(it.discard(&open).await);
    exporter.export(it.source()).await.unwrap();
    assert_eq!(it.starts(), 2);
    assert!(it.state_files().is_empty());
}

#[tokio::test]
async fn a_start_that_was_refused_or_never_sent_leaves_nothing() {
    let it = Resumable::start().await;
    let refusal = Reply::error(403, "Forbidden", "no");
    it.bench.emulator.fail_next(Endpoint::Start, 1, refusal);
    let exporter = it.exporter().await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::PermissionDenied);
    assert!(it.state_files().is_empty());
}

#[tokio::test]
async fn of_two_runs_at_once_the_second_is_told() {
    let it = Resumable::start().await;
    it.bench
        .emulator
        .script_next(JobScript::new().pending_until_released());
    let exporter = it.exporter().await;
    let first = tokio::spawn(exporter.export(it.source()).into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Status, 1)
        .await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Busy);
    assert!(error.is_retryable());
    let open = it.store().list().unwrap().remove(0);
    assert!(open.running);
    assert!(!it.discard(&open).await);
    it.bench
        .emulator
        .release(&it.bench.emulator.jobs()[0].id.clone());
    first.await.unwrap().unwrap();
    assert_eq!(it.starts(), 1);
}

#[tokio::test]
async fn a_job_that_is_too_old_is_left_and_what_was_written_goes() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(ROWS);
    let stalls = [Fault::Stall { after: 9_000_000 }];
    it.bench.emulator.script_next(script.asset_faults(stalls));
    it.cancel_at(5_000_000).await;
    let builder = it.builder().resume_within(Duration::ZERO);
    let (_, told) = it.run(builder).await;
    assert_eq!(told, ["started", "downloading", "exported"]);
    assert_eq!(it.starts(), 2);
    assert_eq!(it.bench.files(), ["latest.csv", "latest.csv.receipt.json"]);
}

#[tokio::test]
async fn what_is_resumed_goes_on_however_old_it_is_and_starts_nothing() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(ROWS);
    let stalls = [Fault::Stall { after: 9_000_000 }];
    it.bench.emulator.script_next(script.asset_faults(stalls));
    it.cancel_at(5_000_000).await;
    let open = it.store().list().unwrap().remove(0);
    let url = open.target_url().unwrap().unwrap();
    // How the sink is tuned makes it no other export.
    let builder = Exporter::builder(it.bench.client())
        .to_url(url.with_option("memory", "20MiB"))
        .state(it.store())
        .resume_within(Duration::ZERO);
    let exporter = open.apply(builder).build().await.unwrap();
    let resumed = exporter.resume(&open).unwrap().await.unwrap();
    assert_eq!(it.bench.read("latest.csv"), it.whole());
    assert_eq!(resumed.receipt().unwrap().job, *open.job().unwrap());
    // Somebody else has listed it too.
    let error = exporter.resume(&open).unwrap().await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::NotOpen);
    assert_eq!(it.starts(), 1);
    assert!(it.state_files().is_empty());
}

#[tokio::test]
async fn bytes_that_are_kept_outlast_a_run_that_brings_none() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(ROWS);
    let faults = [Fault::Stall { after: 9_000_000 }, Reply::new(404).into()];
    it.bench.emulator.script_next(script.asset_faults(faults));
    it.cancel_at(5_000_000).await;
    let exporter = it.exporter().await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Download);
    let before = it.bench.emulator.requests().asset_bytes;
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "resuming", "exported"]);
    let sent = it.bench.emulator.requests().asset_bytes - before;
    assert!(sent < it.whole().len() as u64 - 4_000_000, "{sent}");
}

#[tokio::test]
async fn ending_an_export_in_its_start_learns_the_job() {
    let it = Resumable::start().await;
    let (end, ended) = oneshot::channel::<()>();
    let slow = Fault::Drip {
        after: 0,
        piece: 16,
        pause: Duration::from_millis(20),
    };
    it.bench.emulator.fail_next(Endpoint::Start, 1, slow);
    let exporter = it.exporter().await;
    let export = exporter.export(it.source()).until(async {
        let _ = ended.await;
    });
    let export = tokio::spawn(export.into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Start, 1)
        .await;
    drop(end);
    let error = export.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Cancelled);
    assert!(error.job().is_some(), "{error}");
    let (_, told) = it.run(it.builder()).await;
    assert_eq!(told, ["attached", "downloading", "exported"]);
    assert_eq!(it.starts(), 1);
}

#[tokio::test]
async fn a_state_of_another_version_is_left_alone() {
    let it = Resumable::start().await;
    let script = JobScript::new().pending_until_released();
    it.bench.emulator.script_next(script);
    let exporter = it.exporter().await;
    let export = tokio::spawn(exporter.export(it.source()).into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Status, 1)
        .await;
    let record = it.state_files().remove(0);
    it.bench
        .emulator
        .release(&it.bench.emulator.jobs()[0].id.clone());
    export.await.unwrap().unwrap();
    let foreign = r#"{"version": 2, "what": "this version does not know"}"#;
    std::fs::write(&record, foreign).unwrap();
    exporter.export(it.source()).await.unwrap();
    assert_eq!(std::fs::read_to_string(&record).unwrap(), foreign);
}

#[tokio::test]
async fn a_job_that_has_failed_is_not_gone_on_with() {
    let it = Resumable::start().await;
    it.bench.emulator.script_next(JobScript::new().fails("no"));
    let exporter = it.exporter().await;
    let error = exporter.export(it.source()).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::Job);
    assert!(it.state_files().is_empty());
    exporter.export(it.source()).await.unwrap();
    assert_eq!(it.starts(), 2);
}

#[tokio::test]
async fn another_target_or_name_is_another_export() {
    let it = Resumable::start().await;
    for _ in 0..2 {
        it.bench
            .emulator
            .script_next(JobScript::new().pending_until_released());
    }
    let elsewhere = TempDir::new().unwrap();
    let others = [
        it.builder().to(elsewhere.path().to_str().unwrap()),
        it.builder().name(KeyTemplate::parse("other.csv").unwrap()),
    ];
    let mut waiting = vec![tokio::spawn(
        it.exporter().await.export(it.source()).into_future(),
    )];
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Status, 1)
        .await;
    for (turn, other) in others.into_iter().enumerate() {
        let exporter = other.build().await.unwrap();
        waiting.push(tokio::spawn(exporter.export(it.source()).into_future()));
        it.bench
            .emulator
            .wait_for_requests(Endpoint::Start, turn + 2)
            .await;
    }
    for job in it.bench.emulator.jobs() {
        it.bench.emulator.release(&job.id);
    }
    for export in waiting {
        export.await.unwrap().unwrap();
    }
    assert_eq!(it.starts(), 3);
}

#[tokio::test]
async fn the_same_job_twice_is_downloaded_once_unless_the_object_is_another() {
    let it = Resumable::start().await;
    let job = it.bench.job(JobScript::new().rows(50));
    let exporter = it.exporter().await;
    let first = exporter.export(Source::job(job.clone())).await.unwrap();
    let asked = it.bench.emulator.requests();
    let again = exporter.export(Source::job(job.clone())).await.unwrap();
    assert!(matches!(again, Outcome::Unchanged { .. }), "{again:?}");
    assert_eq!(again.receipt(), first.receipt());
    let now = it.bench.emulator.requests();
    assert_eq!(
        (now.api.len(), now.asset.len()),
        (asked.api.len(), asked.asset.len()),
        "nothing is asked for"
    );
    let whole = it.bench.read("latest.csv");
    let damaged = [&whole[..whole.len() - 1], b"x"].concat();
    for (file, content) in [
        ("latest.csv", damaged.as_slice()),
        ("latest.csv", b"State\n"),
        ("latest.csv.receipt.json", b"{}"),
    ] {
        let path = it.bench.folder.path().join(file);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, content).unwrap();
        let repaired = exporter.export(Source::job(job.clone())).await.unwrap();
        assert!(matches!(repaired, Outcome::Exported { .. }), "{file}");
        assert_eq!(it.bench.read("latest.csv"), whole);
    }
}

/// The process ends between the receipt and the last line of the state.
#[tokio::test]
async fn an_export_that_was_done_and_not_forgotten_is_found_done() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(50).pending_until_released();
    it.bench.emulator.script_next(script);
    let exporter = it.exporter().await;
    let export = tokio::spawn(exporter.export(it.source()).into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Status, 1)
        .await;
    let record = it.state_files().remove(0);
    let remembered = std::fs::read(&record).unwrap();
    it.bench
        .emulator
        .release(&it.bench.emulator.jobs()[0].id.clone());
    export.await.unwrap().unwrap();
    std::fs::write(&record, remembered).unwrap();
    let (outcome, told) = it.run(it.builder()).await;
    assert!(matches!(outcome, Outcome::Unchanged { .. }));
    assert_eq!(told, ["attached", "unchanged"]);
    assert_eq!(it.starts(), 1);
    assert!(it.state_files().is_empty());
}

#[tokio::test]
async fn what_is_remembered_has_no_secret_and_is_its_owners_alone() {
    let it = Resumable::start().await;
    let script = JobScript::new().rows(ROWS);
    let stalls = [Fault::Stall { after: 9_000_000 }];
    it.bench.emulator.script_next(script.asset_faults(stalls));
    it.cancel_at(5_000_000).await;
    let credentials = it.bench.emulator.credentials();
    let header = credentials.basic_header();
    let asset_host = it.bench.emulator.asset_origin().to_string();
    for file in it.state_files() {
        let text = std::fs::read_to_string(&file).unwrap();
        for needle in [
            credentials.expose_secret(),
            header.trim_start_matches("Basic "),
            "Signature",
            &asset_host,
        ] {
            assert!(!text.contains(needle), "{needle} in {text}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
    }
    let open = it.store().list().unwrap().remove(0);
    assert!(open.bytes() >= 5_000_000 && open.job().is_some());
    assert_eq!(open.key().unwrap().as_str(), "latest.csv");
    // And discarded it leaves nothing.
    assert!(it.discard(&open).await);
    assert_eq!(it.bench.files(), Vec::<String>::new());
    assert!(it.state_files().is_empty());
}

#[tokio::test]
async fn a_state_that_cannot_be_used_ends_no_export() {
    let it = Resumable::start().await;
    let exporter = it.exporter().await;
    let script = JobScript::new().pending_until_released();
    it.bench.emulator.script_next(script);
    let export = tokio::spawn(exporter.export(it.source()).into_future());
    it.bench
        .emulator
        .wait_for_requests(Endpoint::Status, 1)
        .await;
    // Nothing can be replaced in a folder that is gone.
    std::fs::remove_dir_all(it.state.path()).unwrap();
    it.bench
        .emulator
        .release(&it.bench.emulator.jobs()[0].id.clone());
    export.await.unwrap().unwrap();
    // Nor understood that is none of ours.
    std::fs::create_dir(it.state.path()).unwrap();
    let folder = it.state.path().to_owned();
    it.bench.emulator.script_next(JobScript::new().fails("no"));
    let _ = exporter.export(it.source()).await;
    std::fs::write(folder.join("x.json"), "{").unwrap();
    std::fs::write(folder.join("y.json"), "{\"version\": 99}").unwrap();
    assert!(it.store().list().unwrap().is_empty());
}
