//! The verification of stored archives against their receipts.

use std::sync::{Arc, Mutex};

use tulip_archive::core::NetworkOptions;
use tulip_archive::core::sink::{Listed, SinkRegistry};
use tulip_archive::{
    Outcome, Repair, Source, VerificationStatus, Verifier, VerifyProgress, parse_target,
};
use tulip_emulator::JobScript;

use crate::support::Bench;

/// The status of each archive in the folder, sorted by key.
async fn found(bench: &Bench) -> Vec<(String, VerificationStatus)> {
    let target = parse_target(bench.folder.path().to_str().unwrap()).unwrap();
    let registry = SinkRegistry::linked().unwrap();
    let network = NetworkOptions::default();
    let sink = registry.connect(&target, &network).await.unwrap();
    let verifier = Verifier::new(sink.clone());
    let mut keys = sink.list().await.unwrap();
    let mut found = Vec::new();
    while let Some(entry) = keys.next().await.unwrap() {
        let Listed::Key(key) = entry else {
            panic!("{entry:?}");
        };
        if let Some(checked) = verifier.check(&key).await.unwrap() {
            found.push((checked.key.to_string(), checked.status));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[tokio::test]
async fn every_damage_is_found_and_told() {
    let bench = Bench::start().await;
    let exporter = bench.exporter().build().await.unwrap();
    for name in ["bad", "cut", "flipped", "fine", "gone"] {
        let script = JobScript::new().rows(200);
        let job = bench.emulator.add_job_as(name.parse().unwrap(), script);
        exporter.export(Source::job(job.unwrap())).await.unwrap();
    }
    assert_eq!(found(&bench).await.len(), 5);
    assert!(
        found(&bench)
            .await
            .iter()
            .all(|(_, found)| *found == VerificationStatus::Intact)
    );
    let path = |name: &str| bench.folder.path().join(name);
    let mut bytes = bench.read("flipped.csv");
    let at = bytes
        .iter()
        .rposition(|byte| byte.is_ascii_digit())
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(path("flipped.csv"), bytes).unwrap();
    let bytes = bench.read("cut.csv");
    let line = bytes
        .iter()
        .take(5_000)
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    std::fs::write(path("cut.csv"), &bytes[..=line]).unwrap();
    std::fs::remove_file(path("gone.csv")).unwrap();
    std::fs::write(path("_bad.csv.receipt.json"), "{\"job\": 7}").unwrap();
    std::fs::write(path("other.csv"), "x\n").unwrap();
    let found = found(&bench).await;
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    let all = [
        "bad.csv",
        "cut.csv",
        "fine.csv",
        "flipped.csv",
        "gone.csv",
        "other.csv",
    ];
    assert_eq!(names, all);
    let says = |at: usize| found[at].1.to_string();
    assert!(says(0).contains("invalid receipt"), "{}", says(0));
    assert!(says(1).contains("size mismatch: "), "{}", says(1));
    assert_eq!(found[2].1, VerificationStatus::Intact);
    assert!(says(3).contains("crc64nvme mismatch: "), "{}", says(3));
    assert_eq!(found[4].1, VerificationStatus::Missing);
    assert_eq!(found[5].1, VerificationStatus::NoReceipt);
    let bad = found.iter().filter(|(_, status)| status.is_bad());
    assert_eq!(bad.count(), 4);
}

/// A receipt and a lookup cannot reveal damage that changes neither size nor time.
#[tokio::test]
async fn a_repair_replaces_what_an_export_takes_for_whole() {
    let bench = Bench::start().await;
    let exporter = bench.exporter().build().await.unwrap();
    let job = bench.job(JobScript::new().rows(200));
    let source = Source::job(job.clone());
    exporter.export(source.clone()).await.unwrap();
    let name = format!("{job}.csv");
    let path = bench.folder.path().join(&name);
    let modified = path.metadata().unwrap().modified().unwrap();
    let mut bytes = bench.read(&name);
    *bytes
        .iter_mut()
        .rfind(|byte| byte.is_ascii_digit())
        .unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(modified).unwrap();
    let unchanged = exporter.export(source).await.unwrap();
    assert!(matches!(unchanged, Outcome::Unchanged { .. }));
    let verifier = Verifier::new(exporter.sink().clone());
    let damaged = verifier.archive(name.parse().unwrap()).await.unwrap();
    let repair = Repair::of(&damaged).unwrap();
    let repairing = repair.exporter(&exporter);
    repairing.export(repair.same_job()).await.unwrap();
    assert!(bench.read(&name) == bench.content(&job));
    let whole = verifier.archive(name.parse().unwrap()).await.unwrap();
    assert_eq!(whole.status, VerificationStatus::Intact);
    assert_eq!(Repair::of(&whole), None);
}

#[tokio::test]
async fn what_was_removed_since_it_was_verified_is_stored_all_the_same() {
    let bench = Bench::start().await;
    let template = "{{a}}/{job} b.csv".parse().unwrap();
    let exporter = bench.exporter().name(template).build().await.unwrap();
    let job = bench.job(JobScript::new().rows(20));
    exporter.export(Source::job(job.clone())).await.unwrap();
    let name = format!("{{a}}/{job} b.csv");
    std::fs::write(bench.folder.path().join(&name), "a,b\n").unwrap();
    let verifier = Verifier::new(exporter.sink().clone());
    let damaged = verifier.archive(name.parse().unwrap()).await.unwrap();
    std::fs::remove_dir_all(bench.folder.path().join("{a}")).unwrap();
    let repair = Repair::of(&damaged).unwrap();
    let repairing = repair.exporter(&exporter);
    repairing.export(repair.same_job()).await.unwrap();
    let whole = verifier.archive(name.parse().unwrap()).await.unwrap();
    assert_eq!(whole.status, VerificationStatus::Intact);
}

#[tokio::test]
async fn progress_goes_from_nothing_to_the_length_of_the_archive() {
    let bench = Bench::start().await;
    let exporter = bench.exporter().build().await.unwrap();
    let job = bench.job(JobScript::new().rows(20_000));
    let stored = exporter.export(Source::job(job)).await.unwrap();
    let Outcome::Exported { receipt, .. } = stored else {
        panic!("{stored:?}");
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    let verifier = Verifier::new(exporter.sink().clone())
        .on_progress(move |progress| seen.lock().unwrap().push(progress));
    let checked = verifier.archive(receipt.object.key.clone()).await.unwrap();
    assert_eq!(checked.status, VerificationStatus::Intact);
    let told = told.lock().unwrap();
    assert!(told.iter().all(|progress| progress.length == receipt.bytes));
    assert!(told.is_sorted_by_key(|progress| progress.bytes));
    let bytes = |progress: Option<&VerifyProgress>| progress.map(|progress| progress.bytes);
    assert_eq!(bytes(told.first()), Some(0));
    assert_eq!(bytes(told.last()), Some(receipt.bytes));
}
