use tulip_archive::http::Endpoint as Call;
use tulip_archive::{
    Advice, ChecksumAlgorithm, ExportErrorKind, FinalLineBreak, FramingRules, IfExists, Inspector,
    KeyTemplate, Outcome, Receipt, Source,
};
use tulip_core::{Machine, WorkspaceId};
use tulip_emulator::{Endpoint, JobScript, Reply, TokenKind};

use crate::support::{Bench, receipt};

#[tokio::test]
async fn a_job_becomes_an_object_with_a_receipt_beside_it_and_nothing_else() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().rows(5_000).pending_polls(2));
    let exporter = bench.exporter().build().await.unwrap();
    let outcome = exporter.export(Source::job(job.clone())).await.unwrap();
    let (name, beside) = (format!("{job}.csv"), format!("_{job}.csv.receipt.json"));
    let mut files = [name.clone(), beside.clone()];
    files.sort();
    assert_eq!(bench.files(), files);
    let content = bench.content(&job);
    assert!(bench.read(&name) == content);
    let receipt = receipt(&outcome);
    let mut inspector = Inspector::new(ChecksumAlgorithm::Crc64Nvme, FramingRules::new());
    inspector.update(&content).unwrap();
    assert_eq!(receipt.checksum, inspector.finish().unwrap().checksum);
    assert_eq!(
        (receipt.bytes, receipt.records),
        (content.len() as u64, 5_000)
    );
    let mut reader = csv::Reader::from_reader(content.as_slice());
    assert_eq!(
        receipt.columns,
        reader.headers().unwrap().iter().collect::<Vec<_>>()
    );
    assert_eq!((&receipt.job, receipt.attempts), (&job, 1));
    assert!(receipt.source_etag.is_some() && receipt.started <= receipt.finished);
    assert_eq!(&Receipt::from_json(&bench.read(&beside)).unwrap(), receipt);
    assert!(outcome.location().ends_with(&name));
}

#[tokio::test]
async fn a_machine_gets_a_job_of_its_own_started_once() {
    let bench = Bench::start().await;
    let machine = bench.emulator.machine_ids()[0].clone();
    let exporter = bench.exporter().build().await.unwrap();
    let outcome = exporter
        .export(Source::machine(machine.clone()))
        .await
        .unwrap();
    let receipt = receipt(&outcome);
    assert_eq!(receipt.machine.as_ref(), Some(&machine));
    assert_eq!(
        receipt.object.key.as_str(),
        format!("{machine}/{}.csv", receipt.job)
    );
    let content = bench.emulator.archive(&machine).unwrap().to_bytes();
    assert!(bench.read(receipt.object.key.as_str()) == content);
    let requests = bench.emulator.requests();
    assert_eq!(
        (
            requests.count(Endpoint::Start),
            requests.count(Endpoint::Asset)
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn the_assets_host_never_sees_the_credentials() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new());
    let exporter = bench.exporter().build().await.unwrap();
    exporter.export(Source::job(job)).await.unwrap();
    let requests = bench.emulator.requests();
    assert!(requests.api.iter().all(|request| request.authorization));
    let asset = &requests.asset[0];
    assert!(!asset.authorization && !asset.cookie && asset.referer.is_none());
    assert_eq!(asset.accept_encoding.as_deref(), Some("identity"));
}

#[tokio::test]
async fn account_tokens_export_from_their_workspace() {
    let bench = Bench::start().await;
    let mut settings = bench.settings();
    settings.credentials = bench.emulator.account_credentials();
    settings.workspace = Some(bench.emulator.workspace().clone());
    let client = tulip_archive::Client::builder(settings).build().unwrap();
    let name = KeyTemplate::parse("{workspace}/{job}.csv").unwrap();
    let exporter = tulip_archive::Exporter::builder(client)
        .to(bench.folder.path().to_str().unwrap())
        .name(name)
        .build()
        .await
        .unwrap();
    let job = bench.job(JobScript::new());
    let outcome = exporter.export(Source::job(job.clone())).await.unwrap();
    let key = receipt(&outcome).object.key.to_string();
    let workspace: &WorkspaceId = bench.emulator.workspace();
    assert_eq!(key, format!("{workspace}/{job}.csv"));
}

#[tokio::test]
async fn an_archive_of_the_header_alone_is_a_success() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().rows(0));
    let exporter = bench.exporter().build().await.unwrap();
    let outcome = exporter.export(Source::job(job.clone())).await.unwrap();
    assert_eq!(receipt(&outcome).records, 0);
    assert!(receipt(&outcome).columns.len() > 5);
    assert!(bench.read(&format!("{job}.csv")) == bench.content(&job));
}

#[tokio::test]
async fn a_reply_without_a_length_is_stored_whole() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().rows(60_000).chunked().without_etag());
    let exporter = bench.exporter().build().await.unwrap();
    let outcome = exporter.export(Source::job(job.clone())).await.unwrap();
    assert_eq!(receipt(&outcome).records, 60_000);
    assert_eq!(receipt(&outcome).source_etag, None);
    assert!(bench.read(&format!("{job}.csv")) == bench.content(&job));
}

#[tokio::test]
async fn sha256_is_computed_on_request() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().content("State\r\nRunning\r\n"));
    let exporter = bench
        .exporter()
        .checksum(ChecksumAlgorithm::Sha256)
        .build()
        .await
        .unwrap();
    let outcome = exporter.export(Source::job(job)).await.unwrap();
    let mut inspector = Inspector::new(ChecksumAlgorithm::Sha256, FramingRules::new());
    inspector.update(b"State\r\nRunning\r\n").unwrap();
    let expected = inspector.finish().unwrap().checksum;
    assert_eq!(receipt(&outcome).checksum, expected);
    assert_eq!(expected.algorithm(), ChecksumAlgorithm::Sha256);
}

#[tokio::test]
async fn the_file_can_be_replaced_skipped_or_kept() {
    let bench = Bench::start().await;
    let name = KeyTemplate::parse("latest.csv").unwrap();
    let exporter = |rule| bench.exporter().name(name.clone()).if_exists(rule).build();
    let old = bench.job(JobScript::new().content("State\r\nold\r\n"));
    let new = bench.job(JobScript::new().content("State\r\nnew\r\n"));
    for rule in [IfExists::Skip, IfExists::Fail] {
        let fresh = exporter(rule)
            .await
            .unwrap()
            .export(Source::job(old.clone()))
            .await;
        assert!(fresh.unwrap().receipt().is_some());
        std::fs::remove_file(bench.folder.path().join("latest.csv")).unwrap();
    }
    exporter(IfExists::Fail)
        .await
        .unwrap()
        .export(Source::job(old))
        .await
        .unwrap();
    let downloads = bench.emulator.requests().count(Endpoint::Asset);

    let skipped = exporter(IfExists::Skip)
        .await
        .unwrap()
        .export(Source::job(new.clone()))
        .await;
    assert!(
        matches!(
            skipped,
            Ok(Outcome::Skipped {
                has_receipt: true,
                ..
            })
        ),
        "{skipped:?}"
    );
    let refused = exporter(IfExists::Fail)
        .await
        .unwrap()
        .export(Source::job(new.clone()))
        .await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::AlreadyExists);
    assert!(error.to_string().contains("already exists"), "{error}");
    assert_eq!(bench.read("latest.csv"), b"State\r\nold\r\n");
    assert_eq!(bench.emulator.requests().count(Endpoint::Asset), downloads);

    let replaced = exporter(IfExists::Overwrite)
        .await
        .unwrap()
        .export(Source::job(new))
        .await;
    assert!(replaced.unwrap().receipt().is_some());
    assert_eq!(bench.read("latest.csv"), b"State\r\nnew\r\n");
}

#[tokio::test]
async fn no_job_is_started_for_an_object_that_is_there_already() {
    let bench = Bench::start().await;
    std::fs::write(bench.folder.path().join("latest.csv"), "mine").unwrap();
    let name = KeyTemplate::parse("latest.csv").unwrap();
    let exporter = bench
        .exporter()
        .name(name)
        .if_exists(IfExists::Skip)
        .build()
        .await
        .unwrap();
    let machine = bench.emulator.machine_ids()[0].clone();
    let outcome = exporter.export(Source::machine(machine)).await.unwrap();
    assert!(matches!(
        outcome,
        Outcome::Skipped {
            has_receipt: false,
            ..
        }
    ));
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 0);
    assert_eq!(bench.read("latest.csv"), b"mine");
}

#[tokio::test]
async fn an_archive_that_ends_without_a_line_break_is_taken_on_request_alone() {
    let bench = Bench::start().await;
    let unended = JobScript::new().content("State,Reason\r\nDown,oil");
    let job = bench.job(unended.clone());
    let strict = bench.exporter().build().await.unwrap();
    let error = strict.export(Source::job(job.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::IncompleteArchive);
    assert!(
        error.to_string().contains("without a line break"),
        "{error}"
    );
    let advice = error.advice();
    assert_eq!(advice, Some(&Advice::AllowMissingFinalLineBreak));
    let lenient = bench.exporter().final_line_break(FinalLineBreak::Optional);
    let lenient = lenient.build().await.unwrap();
    let outcome = lenient.export(Source::job(job)).await.unwrap();
    assert_eq!(receipt(&outcome).records, 1);
    // No length was announced, so nothing proves that the archive is whole, and no setting helps.
    let chunked = bench.job(unended.chunked().without_ranges());
    let error = lenient.export(Source::job(chunked)).await.unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::IncompleteArchive);
    assert_eq!(error.advice(), None);
    assert!(error.to_string().contains("announced no length"), "{error}");
}

#[tokio::test]
async fn a_token_without_the_scope_is_refused_with_the_scopes_name() {
    let bench = Bench::start().await;
    let mut settings = bench.settings();
    settings.credentials = bench
        .emulator
        .issue_token(TokenKind::Workspace, &[tulip_core::Scope::MachinesRead])
        .unwrap();
    let client = tulip_archive::Client::builder(settings).build().unwrap();
    let exporter = tulip_archive::Exporter::builder(client)
        .to(bench.folder.path().to_str().unwrap())
        .build()
        .await
        .unwrap();
    let machine = bench.emulator.machine_ids()[0].clone();
    let error = exporter
        .export(Source::machine(machine.clone()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ExportErrorKind::PermissionDenied);
    let cause = std::error::Error::source(&error).unwrap();
    let cause: &tulip_http::Error = cause.downcast_ref().unwrap();
    assert_eq!(cause.endpoint(), &Call::StartArchive(machine));
    assert!(cause.to_string().contains("machines:write"), "{cause}");
    assert!(cause.error_unique_id().is_some());
}

#[tokio::test]
async fn failures_at_tulip_have_their_kind_and_store_nothing() {
    let bench = Bench::start().await;
    let exporter = bench.exporter().build().await.unwrap();
    for (script, says) in [
        (JobScript::new().fails("out of disk"), "out of disk"),
        (
            JobScript::new().complete_without_resource(u32::MAX),
            "no download URL",
        ),
        (
            JobScript::new().resource("not a url"),
            "cannot be downloaded",
        ),
        (
            JobScript::new().resource("ftp://h/x"),
            "cannot be downloaded",
        ),
    ] {
        let job = bench.job(script);
        let error = exporter.export(Source::job(job.clone())).await.unwrap_err();
        assert_eq!(error.kind(), ExportErrorKind::JobFailed, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(
            error.to_string().starts_with(&format!("job {job}: ")),
            "{error}"
        );
    }
    let unknown = exporter
        .export(Source::job("nobody".parse().unwrap()))
        .await;
    assert_eq!(unknown.unwrap_err().kind(), ExportErrorKind::NotFound);
    bench
        .emulator
        .fail_next(Endpoint::Start, 1, Reply::error(500, "InternalError", "no"));
    let machine = bench.emulator.machine_ids()[0].clone();
    let error = exporter.export(Source::machine(machine)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ExportErrorKind::StartUnknown, false)
    );
    assert_eq!(bench.emulator.requests().count(Endpoint::Start), 1);
    assert_eq!(bench.files(), Vec::<String>::new());
}

#[tokio::test]
async fn a_receipt_has_the_machines_name_and_type() {
    let bench = Bench::start().await;
    let id = bench.emulator.machine_ids()[0].clone();
    let machine = Machine::new(id.clone(), "Mill 07");
    let exporter = bench.exporter().build().await.unwrap();
    let named = Source::machine(id.clone())
        .of_machine(&machine)
        .of_type("CNC");
    let outcome = exporter.export(named).await.unwrap();
    let named = receipt(&outcome);
    assert_eq!(named.machine.as_ref(), Some(&id));
    assert_eq!(named.machine_name.as_deref(), Some("Mill 07"));
    assert_eq!(named.machine_type.as_deref(), Some("CNC"));
    let stored = bench.read(named.object.key.receipt().as_str());
    assert_eq!(&Receipt::from_json(&stored).unwrap(), named);
    // Unknown fields are left out.
    let outcome = exporter.export(Source::machine(id)).await.unwrap();
    let unnamed = receipt(&outcome);
    assert_eq!(
        (&unnamed.machine_name, &unnamed.machine_type),
        (&None, &None)
    );
}

#[tokio::test]
async fn a_failed_export_is_debugged_on_one_line() {
    let bench = Bench::start().await;
    let exporter = bench.exporter().build().await.unwrap();
    let source = Source::machine("nowhere".parse().unwrap());
    let error = exporter.export(source).await.unwrap_err();
    let shown = format!("{error:?}");
    let message = format!(
        "ExportError {{ kind: NotFound, message: {:?}",
        error.to_string()
    );
    assert!(shown.starts_with(&message), "{shown}");
    assert!(
        shown.contains(", source: Error { kind: NotFound, message: \""),
        "{shown}"
    );
    assert!(!shown.contains('\n') && !shown.contains("None"), "{shown}");
}
