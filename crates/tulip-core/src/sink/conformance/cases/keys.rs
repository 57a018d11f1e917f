//! The names of objects.

use super::{Result, holds, store};
use crate::conformance::CaseResult;
use crate::sink::conformance::content::bytes;
use crate::sink::conformance::suite::Suite;

/// Names that something on the way could misread, and their twins: the results of misreading them.
const NAMES: [&str; 16] = [
    "a b.csv",
    "a%20b.csv",
    "a%2520b.csv",
    "a+b.csv",
    "100%.csv",
    "a%2Fb.csv",
    "Mühle 07.csv",
    "日本.csv",
    "🌷.csv",
    "a&b=c.csv",
    "what?.csv",
    "a#b.csv",
    "it's \"so\".csv",
    ".hidden.csv",
    "deep/er/and/deeper.csv",
    "(a);b,c@d:e!.csv",
];

pub(crate) async fn as_they_are(suite: &Suite<'_>) -> Result {
    for (seed, name) in NAMES.iter().enumerate() {
        let key = suite.key(&format!("keys/{name}"))?;
        store(suite, &key, &bytes(20 + seed as u64, 64)).await?;
    }
    // Check only now: a misread name has replaced its twin.
    for (seed, name) in NAMES.iter().enumerate() {
        let key = suite.key(&format!("keys/{name}"))?;
        let content = bytes(20 + seed as u64, 64);
        holds(suite, &key, Some(&content), "beside its twins").await?;
    }
    Ok(CaseResult::Passed)
}
