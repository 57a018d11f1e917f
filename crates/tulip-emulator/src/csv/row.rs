//! Rows of machine activity.

use super::schema::{COMMON, Custom, Schema};
use crate::random::Random;

/// Rows per block: a week with a row every 90 seconds on average.
pub(super) const ROWS_PER_BLOCK: u32 = 6_720;
/// Days per block.
pub(super) const DAYS_PER_BLOCK: u32 = 7;
/// Rows per half hour.
const GROUP: u32 = 20;
const GROUP_SECONDS: u32 = 1_800;
const DAY_SECONDS: u32 = 86_400;

/// A place for the ten bytes of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patch {
    /// The offset of the first byte.
    pub(super) at: u32,
    /// The day, counted from the block's first.
    pub(super) day: u8,
}

/// The bytes of a date until it is filled in.
pub(super) const PLACEHOLDER: &[u8; 10] = b"0000-00-00";

/// Generates the rows of one machine.
#[derive(Debug, Clone)]
pub(super) struct RowMaker {
    seed: u64,
    schema: &'static Schema,
}

/// When the rows of a group begin, in seconds from the beginning of the block.
type Starts = [u32; GROUP as usize];

impl RowMaker {
    pub(super) fn new(seed: u64, schema: &'static Schema) -> Self {
        Self { seed, schema }
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for name in COMMON {
            push_field(&mut out, name);
            out.push(b',');
        }
        push_field(&mut out, self.schema.rate);
        for custom in self.schema.custom {
            out.push(b',');
            push_field(&mut out, custom.name());
        }
        out.push(b'\n');
        out
    }

    /// Draws when the rows of a group begin: at distinct seconds of its half hour, the first at
    /// second 0. Most rows are short, a few are long, and blocks join without a gap.
    fn starts(&self, group: u32) -> Starts {
        let mut random = Random::of(self.seed, "starts", u64::from(group));
        let mut starts = [0; GROUP as usize];
        let mut filled = 1;
        while filled < starts.len() {
            let second = random.below(GROUP_SECONDS);
            if !starts[..filled].contains(&second) {
                starts[filled] = second;
                filled += 1;
            }
        }
        starts.sort_unstable();
        starts.map(|second| second + group * GROUP_SECONDS)
    }

    /// Appends rows `0..count` of a block to `out`, calling `each` after every one.
    pub(super) fn write_rows(
        &self,
        count: u32,
        out: &mut Vec<u8>,
        patches: &mut Vec<Patch>,
        mut each: impl FnMut(&[u8]),
    ) {
        for index in 0..count.min(ROWS_PER_BLOCK) {
            // Drawing a group again for each of its rows would cost more than the rows.
            if index % GROUP == 0 {
                let starts = self.starts(index / GROUP);
                let group_end = (index / GROUP + 1) * GROUP_SECONDS;
                let ends = starts.iter().skip(1).copied().chain([group_end]);
                for (nth, (start, end)) in (index..count).zip(starts.into_iter().zip(ends)) {
                    self.write_row(nth, start, Some(end), out, patches);
                    each(out);
                }
            }
        }
    }

    /// Appends row `index` of a block while it is still open.
    pub(super) fn write_open_row(&self, index: u32, out: &mut Vec<u8>, patches: &mut Vec<Patch>) {
        let start = self.starts(index / GROUP)[(index % GROUP) as usize];
        self.write_row(index, start, None, out, patches);
    }

    fn write_row(
        &self,
        index: u32,
        start: u32,
        end: Option<u32>,
        out: &mut Vec<u8>,
        patches: &mut Vec<Patch>,
    ) {
        let mut random = Random::of(self.seed, "row", u64::from(index));
        let (state, running) = match random.below(100) {
            0..72 => ("Running", true),
            72..84 => ("Idle", false),
            84..96 => ("Down", false),
            _ => ("Setup", false),
        };
        push_field(out, state);
        out.push(b',');
        push_time(out, patches, start);
        out.push(b',');
        if let Some(end) = end {
            push_time(out, patches, end);
            out.push(b',');
            push_number(out, end - start);
        } else {
            out.push(b',');
        }
        out.push(b',');
        let reason = random.pick(self.schema.reasons);
        if state == "Down" || state == "Setup" {
            push_field(out, reason);
        }
        out.push(b',');
        push_field(out, random.pick(self.schema.programs));
        let rate = self.schema.top_rate / 2 + random.below(self.schema.top_rate / 2);
        // Nothing has been counted yet in an open row.
        let seconds = end.map_or(0, |end| end - start);
        let parts = if running { rate * seconds / 3600 } else { 0 };
        let defects = if random.below(12) == 0 {
            random.below(parts + 1)
        } else {
            0
        };
        for number in [parts, defects, if running { rate } else { 0 }] {
            out.push(b',');
            push_number(out, number);
        }
        for custom in self.schema.custom {
            out.push(b',');
            match custom {
                Custom::Number { low, high, .. } => {
                    push_number(out, low + random.below(high - low));
                    out.push(b'.');
                    push_number(out, random.below(10));
                }
                Custom::Text { values, .. } => push_field(out, random.pick(values)),
            }
        }
        out.push(b'\n');
    }
}

/// Appends `second` as `YYYY-MM-DDTHH:MM:SSZ`, with a patch for the date.
fn push_time(out: &mut Vec<u8>, patches: &mut Vec<Patch>, second: u32) {
    patches.push(Patch {
        at: u32::try_from(out.len()).unwrap_or(u32::MAX),
        day: u8::try_from(second / DAY_SECONDS).unwrap_or(u8::MAX),
    });
    out.extend_from_slice(PLACEHOLDER);
    let second = second % DAY_SECONDS;
    out.push(b'T');
    push_two(out, second / 3600);
    out.push(b':');
    push_two(out, second / 60 % 60);
    out.push(b':');
    push_two(out, second % 60);
    out.push(b'Z');
}

fn push_two(out: &mut Vec<u8>, number: u32) {
    if number < 10 {
        out.push(b'0');
    }
    push_number(out, number);
}

fn push_number(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(number.to_string().as_bytes());
}

/// Appends `text`, quoted as in RFC 4180 if necessary.
fn push_field(out: &mut Vec<u8>, text: &str) {
    if !text.contains([',', '"', '\n', '\r']) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::MachineKind;

    #[test]
    fn fields_are_quoted_only_where_needed() {
        let field = |text: &str| {
            let mut out = Vec::new();
            push_field(&mut out, text);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(field("Tool change"), "Tool change");
        assert_eq!(field("a, b"), "\"a, b\"");
        assert_eq!(field("2\""), "\"2\"\"\"");
        assert_eq!(field("a\nb"), "\"a\nb\"");
    }

    #[test]
    fn rows_of_a_block_follow_each_other_without_a_gap() {
        let maker = RowMaker::new(7, MachineKind::Cnc.schema());
        let mut previous_end = 0;
        for group in 0..ROWS_PER_BLOCK / GROUP {
            let starts = maker.starts(group);
            assert_eq!(starts[0], previous_end);
            assert!(starts.is_sorted_by(|a, b| a < b));
            previous_end = (group + 1) * GROUP_SECONDS;
            assert!(starts[starts.len() - 1] < previous_end);
        }
        assert_eq!(previous_end, DAYS_PER_BLOCK * DAY_SECONDS);
    }

    #[test]
    fn an_open_row_has_neither_end_nor_duration() {
        let maker = RowMaker::new(7, MachineKind::Laser.schema());
        let (mut out, mut patches) = (Vec::new(), Vec::new());
        maker.write_open_row(25, &mut out, &mut patches);
        assert_eq!(patches.len(), 1);
        let text = String::from_utf8(out).unwrap();
        let fields: Vec<_> = text.split(',').collect();
        assert_eq!((fields[2], fields[3]), ("", ""));
    }
}
