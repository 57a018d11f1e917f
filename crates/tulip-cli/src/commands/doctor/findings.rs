//! The results of the checks.

use serde::Serialize;

use super::check::Check;
use crate::failure::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Ok,
    Warn,
    Fail,
    /// The check could not run, or has nothing to look at.
    Skip,
}

/// One line, as `--json` prints it. Every line has every field.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) check: Check,
    pub(super) status: Status,
    pub(super) found: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

/// The findings so far, one per check: a later one replaces an earlier one.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: Check, found: impl Into<String>) {
        self.set(check, Status::Ok, found.into(), None);
    }

    pub(super) fn warn(&mut self, check: Check, found: impl Into<String>, advice: &str) {
        self.set(check, Status::Warn, found.into(), Some(advice.to_owned()));
    }

    /// Fails a check with the message and the hint of a failure.
    pub(super) fn fail(&mut self, check: Check, failure: &Failure) {
        let (message, hint) = failure.message().unwrap_or_default();
        self.fail_with(check, message, hint.unwrap_or(check.advice()));
    }

    pub(super) fn fail_with(&mut self, check: Check, found: impl Into<String>, advice: &str) {
        self.set(check, Status::Fail, found.into(), Some(advice.to_owned()));
    }

    pub(super) fn skip(&mut self, check: Check, found: impl Into<String>, advice: Option<&str>) {
        self.set(check, Status::Skip, found.into(), advice.map(str::to_owned));
    }

    /// Skips a check because another one did not pass.
    pub(super) fn skip_because(&mut self, check: Check, cause: Check) {
        self.skip(
            check,
            format!("not checked, because of: {}", cause.title()),
            None,
        );
    }

    pub(super) fn has_failed(&self, check: Check) -> bool {
        let failed = |found: &Finding| found.check == check && found.status == Status::Fail;
        self.0.iter().any(failed)
    }

    /// The first of `checks` that has failed.
    fn failed_of(&self, checks: &[Check]) -> Option<Check> {
        checks.iter().copied().find(|check| self.has_failed(*check))
    }

    /// Returns a finding for every check, in order. Checks that did not run are skipped.
    pub(super) fn complete(mut self) -> Vec<Finding> {
        for check in Check::ALL {
            if self.0.iter().any(|found| found.check == check) {
                continue;
            }
            let of_instance = Check::OF_INSTANCE.contains(&check);
            let cause = of_instance.then(|| self.failed_of(&Check::OF_INSTANCE));
            match cause.flatten().or_else(|| self.failed_of(&Check::ALL)) {
                Some(cause) => self.skip_because(check, cause),
                None => self.skip(check, "not checked", None),
            }
        }
        let place = |check| Check::ALL.iter().position(|known| *known == check);
        self.0.sort_by_key(|found| place(found.check));
        self.0
    }

    fn set(&mut self, check: Check, status: Status, found: String, advice: Option<String>) {
        self.0.retain(|known| known.check != check);
        self.0.push(Finding {
            check,
            status,
            found,
            advice,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_told_once_in_order_and_one_fault_fails_one() {
        let mut findings = Findings::default();
        findings.ok(Check::FileLimit, "none");
        findings.ok(Check::Credentials, "a key");
        findings.fail_with(Check::Credentials, "refused", "check them");
        findings.fail_with(Check::State, "full", "free some space");
        let all = findings.complete();
        let checks: Vec<_> = all.iter().map(|found| found.check).collect();
        assert_eq!(checks, Check::ALL);
        let of = |check| all.iter().find(|found| found.check == check).unwrap();
        assert_eq!(of(Check::Credentials).found, "refused");
        assert_eq!(
            of(Check::Proxy).found,
            "not checked, because of: credentials"
        );
        let failed = all.iter().filter(|found| found.status == Status::Fail);
        assert_eq!(failed.count(), 2);
    }
}
