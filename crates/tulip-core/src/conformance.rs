//! What the suites that check an implementer against a contract report.
//!
//! [`sink::conformance`](crate::sink::conformance) is the suite for sinks; other crates have suites
//! for contracts of theirs.

use std::fmt;

/// Why a case failed, in words.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaseResult {
    /// The promise is kept.
    Passed,
    /// It is not, and how that showed.
    Failed(String),
    /// It could not be checked, and why.
    Skipped(String),
}

/// One promise and how it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// The promise.
    pub name: &'static str,
    /// Whether it was kept.
    pub result: CaseResult,
}

/// All cases. `Display` gives one line for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    cases: Vec<Case>,
}

impl Report {
    /// The cases, in the order in which they ran.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Whether no case failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self
            .cases
            .iter()
            .any(|case| matches!(case.result, CaseResult::Failed(_)))
    }

    /// For tests.
    ///
    /// # Panics
    /// With the whole report, when a case failed.
    pub fn assert_passed(&self) {
        assert!(self.passed(), "the contract is broken:\n{self}");
    }

    /// Adds a case, for those who write a suite.
    pub fn add(&mut self, name: &'static str, result: Result<CaseResult, Failure>) {
        let result = result.unwrap_or_else(|failure| CaseResult::Failed(chain(failure.as_ref())));
        self.cases.push(Case { name, result });
    }
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.cases {
            match &case.result {
                CaseResult::Passed => writeln!(f, "passed   {}", case.name)?,
                CaseResult::Failed(how) => writeln!(f, "FAILED   {}: {how}", case.name)?,
                CaseResult::Skipped(why) => writeln!(f, "skipped  {}: {why}", case.name)?,
            }
        }
        Ok(())
    }
}
