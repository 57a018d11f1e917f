//! The manifest that a run leaves at its target for loaders.

use std::path::Path;

use serde_json::Value;
use tulip_emulator::{Emulator, JobScript};

use crate::support::{Bench, files};

fn fleet(machines: usize) -> Bench {
    Bench::of(Emulator::builder().machines(machines).rows(20))
}

const ALL: [&str; 4] = ["export", "--all", "--to", "out"];

/// The manifests at the target, oldest first.
fn manifests(bench: &Bench) -> Vec<Value> {
    let names = files(&bench.folder.path().join("out/_runs"));
    names
        .iter()
        .map(|name| serde_json::from_slice(&std::fs::read(name).unwrap()).unwrap())
        .collect()
}

#[track_caller]
fn only(bench: &Bench) -> Value {
    let mut found = manifests(bench);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_manifest_lists_every_object_with_its_receipt() {
    let bench = fleet(3);
    let name = "machine={machine}/date={date}/part.csv";
    let ran = bench.run(&[&ALL[..], &["--name", name]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let manifest = only(&bench);
    assert_eq!(
        (&manifest["version"], &manifest["whole"]),
        (&1.into(), &true.into())
    );
    assert_eq!(manifest["shard"], Value::Null);
    assert_eq!(manifest["counts"]["stored"], 3);
    let out = bench.folder.path().join("out");
    let (mut bytes, mut records) = (0, 0);
    for export in manifest["exports"].as_array().unwrap() {
        let object = &export["object"];
        let key = object["key"].as_str().unwrap();
        assert!(
            key.starts_with("machine=") && key.contains("/date="),
            "{key}"
        );
        let archive = std::fs::metadata(out.join(key)).unwrap();
        assert_eq!(object["bytes"], archive.len());
        let receipt = std::fs::read(out.join(object["receipt"].as_str().unwrap())).unwrap();
        let receipt: Value = serde_json::from_slice(&receipt).unwrap();
        for field in ["bytes", "records", "checksum"] {
            assert_eq!(receipt[field], object[field], "{field}");
        }
        assert_eq!(receipt["job"], export["job"]);
        bytes += object["bytes"].as_u64().unwrap();
        records += object["records"].as_u64().unwrap();
    }
    assert_eq!(manifest["counts"]["bytes"], bytes);
    assert_eq!((&manifest["counts"]["records"], records), (&60.into(), 60));
}

#[test]
fn a_failed_run_says_that_it_is_not_whole_and_what_is_missing() {
    let bench = fleet(3);
    let script = JobScript::new().fails("out of disk");
    bench.emulator.script_next_of(&bench.machine(), script);
    let ran = bench.run(&ALL);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let manifest = only(&bench);
    assert_eq!(manifest["whole"], false);
    assert_eq!(manifest["counts"]["stored"], 2);
    assert_eq!(manifest["counts"]["failed_at_tulip"], 1);
    let exports = manifest["exports"].as_array().unwrap();
    let failed = exports.iter().find(|export| export["object"].is_null());
    let failed = failed.unwrap();
    assert_eq!(failed["machine"], bench.machine().as_str());
    assert_eq!(failed["error_kind"], "job_failed");
    assert!(failed["error"].as_str().unwrap().contains("out of disk"));
}

#[test]
fn a_run_that_was_ended_early_has_one_too() {
    let bench = fleet(3);
    let pending = JobScript::new().pending_until_released();
    bench.emulator.set_default_script(pending);
    let ran = bench.run(&[&ALL[..], &["--run-timeout", "1s"]].concat());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let manifest = only(&bench);
    assert_eq!(manifest["whole"], false);
    assert_eq!(manifest["exports"].as_array().unwrap().len(), 3);
}

#[test]
fn each_run_has_its_own_and_what_is_kept_is_listed() {
    let bench = fleet(2);
    let args = [
        &ALL[..],
        &["--name", "{machine}.csv", "--if-exists", "skip"],
    ]
    .concat();
    assert_eq!(bench.run(&args).code, Some(0));
    assert_eq!(bench.run(&args).code, Some(0));
    let found = manifests(&bench);
    assert_eq!(found.len(), 2);
    let kept = found
        .iter()
        .find(|manifest| manifest["counts"]["unchanged"] == 2);
    for export in kept.unwrap()["exports"].as_array().unwrap() {
        assert!(export["object"]["receipt"].is_string(), "{export}");
        assert!(export["object"]["bytes"].is_null(), "{export}");
    }
}

#[test]
fn one_export_has_a_manifest_only_on_request_and_several_can_go_without() {
    let bench = fleet(2);
    let machine = bench.machine();
    let one = ["export", "--machine", machine.as_str(), "--to", "out"];
    for (args, count) in [
        (&one[..], 0),
        (&[&ALL[..], &["--manifest", "never"]].concat(), 0),
        (&[&one[..], &["--manifest", "always"]].concat(), 1),
        (&ALL[..], 2),
    ] {
        assert_eq!(bench.run(args).code, Some(0));
        assert_eq!(manifests(&bench).len(), count, "{args:?}");
    }
}

#[test]
fn a_manifest_names_its_shard() {
    let bench = fleet(8);
    let ran = bench.run(&[&ALL[..], &["--shard", "1/2", "--manifest", "always"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(only(&bench)["shard"], "1/2");
    let names = files(&bench.folder.path().join("out/_runs"));
    assert!(names[0].ends_with("-1of2.json"), "{names:?}");
}

#[test]
fn a_manifest_that_cannot_be_written_fails_the_run() {
    let bench = fleet(2);
    std::fs::create_dir(bench.path("out")).unwrap();
    std::fs::write(bench.path("out/_runs"), "a file in the way").unwrap();
    let ran = bench.run(&ALL);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(
        ran.stderr.contains("could not write the manifest"),
        "{ran:?}"
    );
    assert_eq!(ran.stdout.matches("exported ").count(), 2, "{ran:?}");
}

#[test]
fn verify_takes_it_for_no_archive() {
    let bench = fleet(2);
    assert_eq!(bench.run(&ALL).code, Some(0));
    assert!(Path::new(&bench.path("out/_runs")).is_dir());
    let ran = bench.run(&["verify", "out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stderr.contains("2 OK") && ran.stderr.contains("0 without a receipt"),
        "{ran:?}"
    );
}
