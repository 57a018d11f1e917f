//! The dependencies that embedders of the library can rely on.

use std::collections::BTreeSet;
use std::process::Command;

/// The crates in the tree of a package with the given features, each with its version.
fn tree(package: &str, features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(["-p", package])
        .args(features)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let name_and_version = |line: &str| line.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
    text.lines().map(name_and_version).collect()
}

/// The number of versions of a crate in the tree.
fn versions(tree: &BTreeSet<String>, name: &str) -> usize {
    let prefix = format!("{name} v");
    tree.iter()
        .filter(|found| found.starts_with(&prefix))
        .count()
}

fn has(tree: &BTreeSet<String>, name: &str) -> bool {
    versions(tree, name) > 0
}

#[test]
fn the_core_has_no_runtime_no_transport_and_no_store() {
    let tree = tree("tulip-core", &[]);
    assert!(has(&tree, "serde"));
    for name in ["tokio", "reqwest", "hyper", "object_store", "rustls"] {
        assert!(!has(&tree, name), "tulip-core depends on {name}");
    }
}

#[test]
fn without_features_no_store_comes_along() {
    let bare = tree("tulip-archive", &["--no-default-features"]);
    assert!(has(&bare, "reqwest") && !has(&bare, "object_store"));
    // The default feature brings none either: local files need no object store.
    assert!(!has(&tree("tulip-archive", &[]), "object_store"));
}

#[test]
fn each_feature_brings_what_it_needs_and_no_more() {
    let with = |features: &str| {
        let features = ["--no-default-features", "--features", features];
        tree("tulip-archive", &features)
    };
    let (s3, gcs, azure) = (with("s3"), with("gcs"), with("azure"));
    let (fs, all) = (with("fs"), with("fs,s3,gcs,azure"));
    // Local files need no store, XML or signatures; each cloud needs all three.
    assert!(!has(&fs, "object_store") && !has(&fs, "quick-xml") && has(&fs, "walkdir"));
    for (cloud, name) in [(&s3, "s3"), (&gcs, "gcs"), (&azure, "azure")] {
        assert!(has(cloud, "quick-xml") && has(cloud, "ring"), "{name}");
        assert!(!has(cloud, "walkdir"), "{name}");
        assert!(cloud.is_subset(&all), "features are additive: {name}");
    }
    // Only S3 needs MD5 for its requests, only Azure parses batches.
    assert!(has(&s3, "md-5") && !has(&gcs, "md-5") && !has(&azure, "md-5"));
    assert!(has(&azure, "httparse"));
    // The stores' requests go over our transport: no second HTTP client, no HTTP/2.
    for name in ["h2", "aws-lc-rs", "aws-lc-sys", "native-tls", "aws-config"] {
        assert!(!has(&all, name), "the sinks bring {name}");
    }
    for name in ["ring", "rustls", "reqwest", "hyper", "object_store"] {
        assert_eq!(versions(&all, name), 1, "{name}");
    }
}

#[test]
fn there_is_one_tls_stack_with_one_crypto_provider() {
    let tree = tree("tulip-cli", &[]);
    for name in [
        "aws-lc-rs",
        "aws-lc-sys",
        "native-tls",
        "openssl",
        "openssl-sys",
    ] {
        assert!(!has(&tree, name), "the command depends on {name}");
    }
    for name in ["ring", "rustls", "reqwest", "hyper", "tokio", "http"] {
        assert_eq!(versions(&tree, name), 1, "{name}");
    }
}
