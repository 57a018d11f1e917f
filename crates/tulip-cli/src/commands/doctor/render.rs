//! Findings as text, in 80 columns.

use super::findings::{Finding, Status};
use crate::failure::Failure;
use crate::output;

const WIDTH: usize = 80;
/// Where the text of a finding begins: after the status and the title.
const INDENT: usize = 19;

/// Prints a finding: what was found, and below it what to do.
pub(super) fn print(finding: &Finding) -> Result<(), Failure> {
    lines(finding)
        .iter()
        .try_for_each(|line| output::line(line))
}

/// Returns a line that counts the checks by status.
pub(super) fn summary(findings: &[Finding]) -> String {
    let count = |status| {
        let found = findings.iter().filter(|found| found.status == status);
        found.count()
    };
    format!(
        "{} OK, {} warned, {} failed, {} skipped",
        count(Status::Ok),
        count(Status::Warn),
        count(Status::Fail),
        count(Status::Skip)
    )
}

fn lines(finding: &Finding) -> Vec<String> {
    let status = match finding.status {
        Status::Ok => "OK",
        Status::Warn => "WARN",
        Status::Fail => "FAIL",
        Status::Skip => "SKIP",
    };
    let title = finding.check.title();
    let advice = finding.advice.iter();
    let advice = advice.flat_map(|advice| wrapped(&format!("hint: {}", output::plain(advice))));
    let texts = wrapped(&output::plain(&finding.found))
        .into_iter()
        .chain(advice);
    let mut heads = std::iter::once(format!("{status:<4}  {title:<11}"));
    let mut lines: Vec<String> = texts
        .map(|text| format!("{:<INDENT$}{text}", heads.next().unwrap_or_default()))
        .collect();
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// Wraps a text into lines that fit beside the titles. A word that is longer than a line, such as a
/// path, stays whole, so that it can be copied.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let Some(line) = lines.last_mut() else {
            continue;
        };
        let taken = output::display_width(line);
        match taken + 1 + output::display_width(word) <= WIDTH - INDENT {
            _ if taken == 0 => line.push_str(word),
            true => {
                line.push(' ');
                line.push_str(word);
            }
            false => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::check::Check;
    use super::*;

    #[test]
    fn a_finding_is_wrapped_beside_its_title() {
        let finding = Finding {
            check: Check::Proxy,
            status: Status::Fail,
            found: "HTTPS_PROXY: not a usable proxy: its scheme is neither http nor https".into(),
            advice: Some("correct the variable".into()),
        };
        assert_eq!(
            lines(&finding),
            [
                "FAIL  proxy        HTTPS_PROXY: not a usable proxy: its scheme is neither http",
                "                   nor https",
                "                   hint: correct the variable",
            ]
        );
    }

    #[test]
    fn long_words_stay_whole_and_all_other_lines_fit() {
        let path = "/a".repeat(50);
        let text = format!("cannot write {path}: {}", "長城 機床 ".repeat(40));
        let lines = wrapped(&text);
        assert!(
            lines.iter().any(|line| line.starts_with(&path)),
            "{lines:?}"
        );
        let long = lines
            .iter()
            .filter(|line| output::display_width(line) > WIDTH - INDENT);
        assert_eq!(long.count(), 1);
        assert!(Check::ALL.iter().all(|check| check.title().len() <= 11));
    }
}
