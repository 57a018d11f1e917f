//! Output on stdout.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// A count with its noun: `1 run`, `2 runs`.
pub(crate) fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// Prints one line.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()?;
    Ok(())
}

/// Prints one JSON object on its own line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::other(format!("cannot write JSON: {error}")))?;
    line(&escaped(&text))
}

/// Escapes the characters of JSON that a terminal acts on. They occur only inside strings.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match acts_on_terminal(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

/// Prints rows below a header, each column as wide as its widest cell.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| display_width(&row[at]));
        cells
            .chain([display_width(head[at])])
            .max()
            .unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let print = |cells: [&str; N]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| fit(cell, width))
            .collect();
        line(padded.join("  ").trim_end())
    };
    print(head)?;
    rows.iter()
        .try_for_each(|row| print(row.each_ref().map(String::as_str)))
}
/// The width that texts are wrapped to.
const LINE: usize = 80;

/// Prints names, each with its description wrapped beside it.
pub(crate) fn definitions(rows: &[[String; 2]]) -> Result<(), Failure> {
    let names = rows.iter().map(|[name, _]| display_width(name));
    let indent = names.max().unwrap_or_default() + 2;
    rows.iter().try_for_each(|[name, text]| {
        let mut name = name.as_str();
        wrapped(text, LINE.saturating_sub(indent))
            .iter()
            .try_for_each(|part| line(&format!("{}{part}", fit(std::mem::take(&mut name), indent))))
    })
}

/// Wraps a text into lines, none wider than `width` unless a single word is.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) if display_width(last) + 1 + display_width(word) <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
/// The number of terminal columns of a text: two for a CJK character, none for a combining accent.
pub(crate) fn display_width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// Fits a text into exactly this many columns: pads it with blanks, or cuts it with an ellipsis.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let mut fitted = match width {
        0 => String::new(),
        width => console::truncate_str(text, width, "…").into_owned(),
    };
    // A cut text is a column short if only half of a wide character had room.
    let missing = width.saturating_sub(display_width(&fitted));
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

/// Untrusted text on one line, without anything that a terminal would act on.
pub(crate) fn plain(text: &str) -> String {
    let shown = |c| match acts_on_terminal(c) {
        true => '\u{fffd}',
        false => c,
    };
    text.chars().map(shown).collect()
}

/// Whether it is a control character, a line break of any kind, or changes the text direction.
fn acts_on_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_nothing_that_a_terminal_acts_on_and_says_the_same() {
        let name = "Mill\u{9b}31m\u{7f}\u{202e}\u{1b}é\u{2028}";
        let json = escaped(&serde_json::to_string(name).unwrap());
        assert!(!json.chars().any(acts_on_terminal), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), name);
    }

    #[test]
    fn texts_are_wrapped_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("immeasurable x", 4), ["immeasurable", "x"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn texts_are_fitted_by_the_columns_that_they_take() {
        for (text, width, fitted) in [
            ("Mill", 6, "Mill  "),
            ("Mill", 4, "Mill"),
            ("Mill", 3, "Mi…"),
            ("長城機床", 8, "長城機床"),
            ("長城機床", 7, "長城機…"),
            ("長城機床", 6, "長城… "),
            ("a\u{308}b", 3, "a\u{308}b "),
            ("Mill", 1, "…"),
            ("Mill", 0, ""),
        ] {
            assert_eq!(fit(text, width), fitted);
            assert_eq!(display_width(fitted), width);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(plain("Mill\u{1b}[2J 07\n"), "Mill\u{fffd}[2J 07\u{fffd}");
        assert_eq!(
            plain("a\u{2028}b\u{202e}c\u{85}"),
            "a\u{fffd}b\u{fffd}c\u{fffd}"
        );
        assert_eq!(plain("Mühle 長 😀"), "Mühle 長 😀");
    }
}
