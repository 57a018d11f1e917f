//! A build of the code in the documentation pages, exactly as printed. A reader who runs a page's
//! `cargo new` and `cargo add`, and pastes each block into the file that it names, must get a crate
//! that builds.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod markdown;
mod reader;

use std::fs;
use std::path::{Path, PathBuf};

use markdown::blocks;
use reader::Reader;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A page with code to paste, and the cargo commands that its reader then runs.
struct Page {
    path: &'static str,
    cargo: &'static [&'static [&'static str]],
}

const PAGES: [Page; 3] = [
    Page {
        path: "README.md",
        cargo: &[&["check", "-p", "lake"]],
    },
    Page {
        path: "docs/embedding.md",
        cargo: &[&["check", "-p", "nightly"]],
    },
    Page {
        path: "docs/sinks.md",
        // The conformance suite runs against the sink as printed.
        cargo: &[&["test", "-p", "sink-mine"], &["check", "-p", "tulip-mine"]],
    },
];

#[test]
#[ignore = "builds crates of its own, which takes minutes; a step of .ci/run"]
fn what_a_page_prints_builds_as_it_is_printed() {
    let reader = Reader::new();
    for page in PAGES {
        let text = fs::read_to_string(Path::new(REPOSITORY).join(page.path)).unwrap();
        let blocks = blocks(&text);
        reader.set_up(&blocks);
        for block in blocks.iter().filter(|block| block.is_rust()) {
            let path = page.path;
            let file = block.file();
            let file = file.unwrap_or_else(|| panic!("{path}: no file is named:\n{}", block.text));
            reader.paste(file, &block.text);
        }
        for arguments in page.cargo {
            reader.cargo(arguments.iter().copied());
        }
    }
}

#[test]
fn every_page_with_code_to_paste_is_followed() {
    let followed = |path: &Path| PAGES.iter().any(|page| path.ends_with(page.path));
    let root = Path::new(REPOSITORY);
    for path in pages() {
        let text = fs::read_to_string(&path).unwrap();
        // A crate's README is compiled as its documentation test.
        let is_front_page = path
            .parent()
            .is_some_and(|folder| folder.join("Cargo.toml").is_file() && folder != root);
        let has_code = blocks(&text).iter().any(markdown::Block::is_rust);
        assert!(
            !has_code || is_front_page || followed(&path),
            "{}",
            path.display()
        );
    }
}

#[test]
fn no_page_prints_lines_that_are_for_rustdoc_alone() {
    for path in pages() {
        let text = fs::read_to_string(&path).unwrap();
        for block in blocks(&text) {
            let code = block.is_rust() || matches!(block.language.as_str(), "" | "no_run");
            let spoilt = code && block.has_hidden_lines();
            assert!(!spoilt, "{}:\n{}", path.display(), block.text);
        }
    }
}

/// Returns every page of the repository that may show code for a library.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(REPOSITORY);
    let mut pages = vec![root.join("README.md")];
    let entries = |folder: &str| fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap);
    pages.extend(entries("docs").map(|entry| entry.path()));
    for folder in ["crates", "examples"] {
        pages.extend(entries(folder).map(|entry| entry.path().join("README.md")));
    }
    pages.retain(|page| page.extension().is_some_and(|end| end == "md") && page.is_file());
    pages
}
