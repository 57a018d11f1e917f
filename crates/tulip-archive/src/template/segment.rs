//! One segment of a key. Values in it are encoded, and cut if it would be too long.

use sha2::{Digest as _, Sha256};

/// The end of a receipt's name, which begins with `_`.
pub(super) const RECEIPT_SUFFIX: &str = ".receipt.json";

/// Whether the last segment of a key is the name of a receipt, on stores that ignore case too.
pub(super) fn names_a_receipt(segment: &str) -> bool {
    segment.starts_with('_')
        && segment
            .len()
            .checked_sub(RECEIPT_SUFFIX.len())
            .and_then(|at| segment.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(RECEIPT_SUFFIX))
}

/// The maximum length of a key's segment in bytes, as in [`ObjectKey`](tulip_core::ObjectKey).
pub(super) const MAX_SEGMENT: usize = 200;

/// The end of a value that was cut: `~` and eight hexadecimal digits. A `~` in a value is encoded,
/// so no other value contains one.
const HASH_MARK: char = '~';
const HASH_BYTES: usize = 4;
const MARK_LENGTH: usize = 1 + 2 * HASH_BYTES;

/// One segment of a key while it is built.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    /// A value and its encoded form.
    Value {
        value: String,
        encoded: String,
    },
}

impl Piece {
    fn text(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Value { encoded, .. } => encoded,
        }
    }
}

impl Segment {
    fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| piece.text().is_empty())
    }

    pub(super) fn push_literal(&mut self, text: &str) {
        self.pieces.push(Piece::Literal(text.to_owned()));
    }

    pub(super) fn push_value(&mut self, value: &str) {
        let encoded = encode(value, self.is_empty());
        self.pieces.push(Piece::Value {
            value: value.to_owned(),
            encoded,
        });
    }

    fn joined(&self) -> String {
        self.pieces.iter().map(Piece::text).collect()
    }

    /// Encodes one more character of a value if the segment would be the name of a receipt. A
    /// segment of literals alone cannot be one, because its template is refused.
    pub(super) fn keep_off_receipts(&mut self) {
        let joined = self.joined();
        if !names_a_receipt(&joined) {
            return;
        }
        let mut behind = 0;
        for piece in self.pieces.iter_mut().rev() {
            if behind >= RECEIPT_SUFFIX.len() {
                return;
            }
            behind += piece.text().len();
            if let Piece::Value { encoded, .. } = piece
                && let Some(last) = encoded.pop()
            {
                push_encoded(encoded, last);
                return;
            }
        }
    }

    /// Returns the text. If it is too long, the longest values are cut to the same length so that
    /// it fits. If its literals alone are too long, it stays too long.
    pub(super) fn finish(self) -> String {
        let joined = self.joined();
        if joined.len() <= MAX_SEGMENT {
            return joined;
        }
        let length_with = |most: usize| -> usize {
            let lengths = self.pieces.iter().map(|piece| match piece {
                Piece::Literal(text) => text.len(),
                Piece::Value { encoded, .. } => encoded.len().min(most),
            });
            lengths.sum()
        };
        let fitting = (MARK_LENGTH..MAX_SEGMENT)
            .rev()
            .find(|most| length_with(*most) <= MAX_SEGMENT);
        let Some(most) = fitting else {
            return joined;
        };
        let shortened = self.pieces.iter().map(|piece| match piece {
            Piece::Value { value, encoded } if encoded.len() > most => {
                shorten(value, encoded, most)
            }
            other => other.text().to_owned(),
        });
        shortened.collect()
    }
}

/// Returns the beginning of an encoded value and a hash of the whole value, in at most `most`
/// bytes.
fn shorten(value: &str, encoded: &str, most: usize) -> String {
    let mut end = most.saturating_sub(MARK_LENGTH);
    // Cut neither a character nor an escape (`%E9`) in two.
    while !encoded.is_char_boundary(end) {
        end -= 1;
    }
    let kept = &encoded[..end];
    let kept = match kept.rfind('%') {
        Some(escape) if kept.len() - escape < 3 => &kept[..escape],
        _ => kept,
    };
    let mut out = format!("{kept}{HASH_MARK}");
    for byte in Sha256::digest(value.as_bytes()).iter().take(HASH_BYTES) {
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

/// Encodes a value so that it is a plain segment, or a part of one. At the start of a segment a
/// leading `_` is encoded, because loaders skip such files like hidden ones.
pub(super) fn encode(value: &str, at_start: bool) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let hidden = at == 0 && (c == '.' || (c == '_' && at_start));
        let plain =
            c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '(' | ')' | '+' | ',');
        if plain && !hidden {
            out.push(c);
        } else {
            push_encoded(&mut out, c);
        }
    }
    out
}

fn push_encoded(out: &mut String, c: char) {
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        out.push_str(&format!("%{byte:02X}"));
    }
}
