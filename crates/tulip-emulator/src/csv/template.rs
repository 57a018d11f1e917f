//! A block of rows, generated once, that yields archives of any length: block `k` is the template
//! with its dates moved `k` weeks later.

use super::date::{FIRST_DAY, LAST_DAY, iso};
use super::row::{DAYS_PER_BLOCK, Patch, ROWS_PER_BLOCK, RowMaker};
use super::schema::MachineKind;

/// Rows per block.
pub(crate) const BLOCK_ROWS: u64 = ROWS_PER_BLOCK as u64;
/// The most rows that an archive can have: another week would exceed four-digit years.
pub(crate) const MAX_ROWS: u64 = ((LAST_DAY - FIRST_DAY) / DAYS_PER_BLOCK) as u64 * BLOCK_ROWS;

const DATE: usize = 10;
/// A row at the end of a block ends on the first day of the next.
const DATES: usize = DAYS_PER_BLOCK as usize + 1;

/// The template of one machine, about 0.7 MiB.
#[derive(Debug)]
pub(crate) struct Template {
    maker: RowMaker,
    header: Vec<u8>,
    block: Vec<u8>,
    /// The offset in the block at which each row ends.
    row_ends: Vec<u32>,
    patches: Vec<Patch>,
}

impl Template {
    /// Builds the template for archives of up to `rows` rows; short archives need only a part of
    /// it.
    pub(crate) fn build(seed: u64, kind: MachineKind, rows: u64) -> Self {
        let maker = RowMaker::new(seed, kind.schema());
        let count = u32::try_from(rows).unwrap_or(u32::MAX).min(ROWS_PER_BLOCK);
        let (mut block, mut patches) = (Vec::new(), Vec::new());
        let mut row_ends = Vec::with_capacity(count as usize);
        maker.write_rows(count, &mut block, &mut patches, |written| {
            row_ends.push(u32::try_from(written.len()).unwrap_or(u32::MAX));
        });
        Self {
            header: maker.header(),
            maker,
            block,
            row_ends,
            patches,
        }
    }

    /// Whether an archive of `rows` rows can be produced from this template.
    pub(crate) fn covers(&self, rows: u64) -> bool {
        self.row_ends.len() as u64 >= rows.min(BLOCK_ROWS)
    }

    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }

    /// The length in bytes of the first `rows` rows of a block.
    pub(super) fn bytes_of(&self, rows: u64) -> u64 {
        let last = usize::try_from(rows)
            .ok()
            .and_then(|rows| rows.checked_sub(1));
        last.and_then(|last| self.row_ends.get(last))
            .map_or(0, |end| u64::from(*end))
    }

    /// Row `row` of the whole archive while it is open.
    pub(super) fn open_row(&self, row: u64) -> Vec<u8> {
        let (mut out, mut patches) = (Vec::new(), Vec::new());
        let index = u32::try_from(row % BLOCK_ROWS).unwrap_or(0);
        self.maker.write_open_row(index, &mut out, &mut patches);
        fill(&patches, row / BLOCK_ROWS, 0, &mut out);
        out
    }

    /// Fills in the dates of block `number` in `bytes`, a copy of the block from `from` on.
    pub(super) fn date(&self, number: u64, from: usize, bytes: &mut [u8]) {
        let first = self
            .patches
            .partition_point(|patch| patch.at as usize + DATE <= from);
        let until = from + bytes.len();
        let count = self.patches[first..].partition_point(|patch| (patch.at as usize) < until);
        fill(&self.patches[first..first + count], number, from, bytes);
    }
}

/// Writes dates into `bytes`, which begin at `from`. The first and last date may be cut off.
fn fill(patches: &[Patch], number: u64, from: usize, bytes: &mut [u8]) {
    let first_day = FIRST_DAY + u32::try_from(number).unwrap_or(0) * DAYS_PER_BLOCK;
    let mut dates = [[0; DATE]; DATES];
    for (date, day) in dates.iter_mut().zip(first_day..) {
        *date = iso(day);
    }
    for patch in patches {
        let date = &dates[usize::from(patch.day) % DATES];
        let at = patch.at as usize;
        if let Some(whole) = at
            .checked_sub(from)
            .and_then(|start| bytes.get_mut(start..start + DATE))
        {
            whole.copy_from_slice(date);
        } else {
            for (nth, byte) in date.iter().enumerate() {
                let place = (at + nth).checked_sub(from);
                if let Some(place) = place.and_then(|place| bytes.get_mut(place)) {
                    *place = *byte;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_template_is_the_beginning_of_the_whole_one() {
        let short = Template::build(1, MachineKind::Molding, 33);
        let whole = Template::build(1, MachineKind::Molding, u64::MAX);
        assert!(whole.block().starts_with(short.block()));
        assert_eq!(short.bytes_of(33), short.block().len() as u64);
        assert_eq!(short.bytes_of(33), whole.bytes_of(33));
        assert_eq!(whole.bytes_of(BLOCK_ROWS), whole.block().len() as u64);
        assert!(short.covers(33) && !short.covers(34) && whole.covers(MAX_ROWS));
    }

    #[test]
    fn every_date_place_is_filled_wherever_the_copy_is_cut() {
        let template = Template::build(1, MachineKind::Cnc, 4);
        let mut whole = template.block().to_vec();
        template.date(3, 0, &mut whole);
        assert!(!whole.windows(10).any(|w| w == b"0000-00-00"));
        for from in 0..whole.len() {
            for until in (from..whole.len()).step_by(7) {
                let mut part = template.block()[from..until].to_vec();
                template.date(3, from, &mut part);
                assert_eq!(part, whole[from..until]);
            }
        }
    }
}
