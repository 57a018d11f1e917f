//! Reports of conformance suites, which check an implementation against a contract.
//!
//! [`sink::conformance`](crate::sink::conformance) is the suite for sinks; other crates have suites
//! for their own contracts.

use std::fmt;

/// The error of a failed case.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The result of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaseResult {
    /// The implementation keeps the promise.
    Passed,
    /// It breaks the promise; the text says how.
    Failed(String),
    /// The promise could not be checked; the text says why.
    Skipped(String),
}

/// One promise and the result of checking it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// The promise.
    pub name: &'static str,
    /// The result of checking it.
    pub result: CaseResult,
}

/// The results of all cases. `Display` writes one line for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    cases: Vec<Case>,
}

impl Report {
    /// Returns the cases, in the order in which they ran.
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

    /// Asserts that no case failed, for use in tests.
    ///
    /// # Panics
    /// If a case failed, with the whole report as the message.
    pub fn assert_passed(&self) {
        assert!(self.passed(), "the contract is broken:\n{self}");
    }

    /// Adds a case, for authors of suites.
    pub fn add(&mut self, name: &'static str, result: Result<CaseResult, Failure>) {
        let result = result.unwrap_or_else(|failure| CaseResult::Failed(chain(failure.as_ref())));
        self.cases.push(Case { name, result });
    }
}

/// Joins an error and its causes into one line.
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
