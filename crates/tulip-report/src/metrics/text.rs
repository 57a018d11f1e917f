//! Writing and reading Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Formats the name of a sample with its labels as in the text. Samples with equal results belong
/// to the same time series.
pub(super) fn series(name: &str, labels: &[(&str, &str)]) -> String {
    let mut text = name.to_owned();
    for (at, (label, value)) in labels.iter().enumerate() {
        text.push(if at == 0 { '{' } else { ',' });
        text.push_str(label);
        text.push_str("=\"");
        push_escaped(&mut text, value);
        text.push('"');
    }
    if !labels.is_empty() {
        text.push('}');
    }
    text
}

/// The format escapes only the backslash, the quote and the line break.
fn push_escaped(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

/// A text while it is written.
#[derive(Debug, Default)]
pub(super) struct Writer(String);

impl Writer {
    /// Writes the header of a metric.
    pub(super) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        self.line(&format!("# HELP {name} {help}"));
        self.line(&format!("# TYPE {name} {kind}"));
    }

    pub(super) fn sample(&mut self, series: &str, value: f64) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{series} {value}");
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Reads the samples of a text, by series. Other lines are ignored, so that an edited file or that
/// of another program does not fail a run.
pub(super) fn read(text: &str) -> BTreeMap<String, f64> {
    text.lines().filter_map(sample).collect()
}

fn sample(line: &str) -> Option<(String, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let value: f64 = value.parse().ok()?;
    value.is_finite().then(|| (series.to_owned(), value))
}

/// Returns the value of a label in a series formatted by [`series`].
pub(super) fn label(series: &str, name: &str) -> Option<String> {
    let (_, mut rest) = series.split_once('{')?;
    loop {
        let (label, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, c) => value.push(c),
            }
        };
        if label == name {
            return Some(value);
        }
        rest = after.get(end + 1..)?.strip_prefix(',')?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_format_cannot_hold_is_escaped() {
        let found = series("up", &[("machine", "Mill \"7\"\\\n"), ("to", "/data")]);
        assert_eq!(found, r#"up{machine="Mill \"7\"\\\n",to="/data"}"#);
        assert_eq!(series("up", &[]), "up");
    }

    #[test]
    fn lines_that_are_no_samples_are_left_out() {
        let text = "# HELP a b\na 1\nb{c=\"d e\"} 2.5\nnonsense\na{b= x\nbad NaN\n\nc 1e3";
        let found: Vec<_> = read(text).into_iter().collect();
        let expected = [("a", 1.0), ("b{c=\"d e\"}", 2.5), ("c", 1000.0)];
        assert_eq!(
            found,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
    }

    proptest! {
        #[test]
        fn labels_are_read_back(
            one in any::<String>(),
            other in any::<String>(),
        ) {
            let series = series("up", &[("one", &one), ("other", &other)]);
            prop_assert_eq!(label(&series, "one"), Some(one));
            prop_assert_eq!(label(&series, "other"), Some(other));
            prop_assert_eq!(label(&series, "third"), None);
        }

        #[test]
        fn a_text_of_anybody_is_read_without_a_panic(text in any::<String>()) {
            for (series, _) in read(&text) {
                let _ = label(&series, "machine");
            }
        }
    }
}
