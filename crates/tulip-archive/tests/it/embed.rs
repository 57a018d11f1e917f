//! What somebody who embeds the library relies on.

use std::process::Command;

/// The crates in the tree of a package with the given features.
fn tree(package: &str, features: &[&str]) -> Vec<String> {
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
            "-p",
            package,
        ])
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
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn has(tree: &[String], name: &str) -> bool {
    tree.iter().any(|found| found == name)
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
    assert!(has(&tree("tulip-archive", &[]), "object_store"));
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
        let versions: std::collections::BTreeSet<_> = cargo_tree_versions(name);
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

fn cargo_tree_versions(name: &str) -> std::collections::BTreeSet<String> {
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
            "-p",
            "tulip-cli",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let wanted = format!("{name} v");
    text.lines()
        .filter(|line| line.starts_with(&wanted))
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}
