//! Stored archives against their receipts.

use tulip_archive::core::NetworkOptions;
use tulip_archive::core::sink::{Listed, SinkRegistry};
use tulip_archive::{Source, VerificationStatus, Verifier, parse_target};
use tulip_emulator::JobScript;

use crate::support::Bench;

/// What is found in the folder, in words, by name.
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
    let bad = found.iter().filter(|(_, verdict)| verdict.is_bad());
    assert_eq!(bad.count(), 4);
}
