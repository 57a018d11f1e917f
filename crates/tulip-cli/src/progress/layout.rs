//! Progress as lines of text that fit a terminal. Needs no terminal itself, so that tests can check
//! it.

use std::time::{Duration, Instant};

use tulip_core::format_byte_size;

use super::view::{Row, Step, View};
use crate::output::{display_width, fit};

/// The width that an export's name gets before less important columns.
const NAME: usize = 10;

/// The width of a bar. A shorter one says nothing, and a longer one says no more.
const BAR: std::ops::RangeInclusive<usize> = 10..=30;

/// The maximum width of a line. Longer lines are hard to follow.
const LINE: usize = 100;

/// The space between two columns.
const GAP: usize = 2;

// The maximum width of each column.
const ELAPSED: usize = "59m59s".len();
const RATE: usize = "999.9 MB/s".len();
const ETA: usize = "ETA 59m59s".len();
const PERCENT: usize = "100%".len();
/// A percentage, or the bytes if that is unknown.
const DONE: usize = "999.9 MB".len();
const SIZES: usize = "999.9 MB of 999.9 MB".len();

/// The lines for a terminal of this size: exports, then the run. One row is left for the cursor.
pub(super) fn lines(view: &mut View, now: Instant, width: usize, height: usize) -> Vec<String> {
    view.sample(now);
    let width = width.min(LINE);
    let columns = Columns::of(width, view.widest_name);
    let rows = view.rows.values();
    let room = height.saturating_sub(2);
    let mut lines: Vec<String> = match rows.len() {
        all if all <= room => rows.map(|row| columns.line(row, now)).collect(),
        _ if room == 0 => Vec::new(),
        all => {
            let shown = room - 1;
            let mut lines: Vec<_> = rows.take(shown).map(|row| columns.line(row, now)).collect();
            lines.push(fit(&format!("… and {} more", all - shown), width));
            lines
        }
    };
    lines.push(total(view, now, width));
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines
}

/// The widths of the columns of every row; 0 for a column without room.
#[derive(Debug, PartialEq, Eq)]
struct Columns {
    name: usize,
    bar: usize,
    sizes: usize,
    done: usize,
    rate: usize,
    eta: usize,
    elapsed: usize,
}

/// The alignment of a text in its column.
enum Side {
    Left,
    Right,
}

impl Columns {
    /// Adds columns, the most important first, as long as the name keeps some room.
    fn of(width: usize, widest_name: usize) -> Self {
        let mut left = width.saturating_sub(widest_name.min(NAME));
        let mut is_full = false;
        let mut take = |wanted: usize| {
            is_full = is_full || left < GAP + wanted;
            if is_full {
                return 0;
            }
            left -= GAP + wanted;
            wanted
        };
        let elapsed = take(ELAPSED);
        let mut done = take(DONE);
        let rate = take(RATE);
        let eta = take(ETA);
        // Beside the sizes, this column shows only a percentage, so it can be narrower.
        let mut sizes = 0;
        if take(SIZES + GAP + PERCENT - DONE) > 0 {
            (done, sizes) = (PERCENT, SIZES);
        }
        // What is left goes to the name first, then to a bar.
        let longer_name = left.min(widest_name.saturating_sub(NAME));
        let bar = (left - longer_name).saturating_sub(GAP).min(*BAR.end());
        let bar = if BAR.contains(&bar) { bar } else { 0 };
        let taken = taken(&[bar, sizes, done, rate, eta, elapsed]);
        Self {
            name: width.saturating_sub(taken),
            bar,
            sizes,
            done,
            rate,
            eta,
            elapsed,
        }
    }

    fn line(&self, row: &Row, now: Instant) -> String {
        let mut line = fit(&row.name, self.name);
        let mut cell = |text: &str, width: usize, side: Side| {
            if width == 0 {
                return;
            }
            let text = match side {
                Side::Left => fit(text, width),
                Side::Right => {
                    let before = width.saturating_sub(display_width(text));
                    format!("{:before$}{}", "", fit(text, width - before))
                }
            };
            line.extend(std::iter::repeat_n(' ', GAP));
            line.push_str(&text);
        };
        match &row.step {
            Step::Waiting(words) => cell(words, self.between(), Side::Left),
            Step::Committing => cell("committing", self.between(), Side::Left),
            Step::Downloading { bytes, length } => {
                let bytes_text = format_byte_size(*bytes);
                let percent = length.map(|length| percent(*bytes, length));
                cell(&bar(*bytes, *length, self.bar), self.bar, Side::Left);
                let sizes = match length {
                    Some(length) => format!("{bytes_text} of {}", format_byte_size(*length)),
                    None => bytes_text.clone(),
                };
                cell(&sizes, self.sizes, Side::Right);
                let done = match percent {
                    Some(percent) => format!("{percent}%"),
                    None if self.sizes > 0 => String::new(),
                    None => bytes_text,
                };
                cell(&done, self.done, Side::Right);
                cell(&rate(row.rate.bytes_per_second()), self.rate, Side::Right);
                let eta = row.step.left().and_then(|left| row.rate.time_for(left));
                let eta = eta.map_or_else(String::new, |eta| format!("ETA {}", clock(eta)));
                cell(&eta, self.eta, Side::Right);
            }
        }
        let elapsed = now.saturating_duration_since(row.started);
        cell(&clock(elapsed), self.elapsed, Side::Right);
        line
    }

    /// The room between the name and the elapsed time.
    fn between(&self) -> usize {
        let columns = [self.bar, self.sizes, self.done, self.rate, self.eta];
        taken(&columns).saturating_sub(GAP)
    }
}

/// The room that columns take after the name.
fn taken(columns: &[usize]) -> usize {
    let there = columns.iter().filter(|width| **width > 0);
    there.map(|width| GAP + width).sum()
}

/// The line of the run, in the longest form that fits.
fn total(view: &View, now: Instant, width: usize) -> String {
    let elapsed = clock(now.saturating_duration_since(view.started));
    let room = width.saturating_sub(GAP + ELAPSED);
    let left = view.left();
    let received = format_byte_size(view.received);
    let sizes =
        left.map(|left| format!("{received} of {}", format_byte_size(view.received + left)));
    let rate = rate(view.rate.bytes_per_second());
    let eta = left.and_then(|left| view.rate.time_for(left));
    let eta = eta.map_or_else(String::new, |eta| format!("ETA {}", clock(eta)));
    let failed = match view.failed {
        0 => String::new(),
        failed => format!("{failed} failed"),
    };
    let (count, short) = match view.archives {
        Some(all) => (
            format!("{} of {all} archives", view.ended),
            format!("{}/{all}", view.ended),
        ),
        None => {
            let count = match view.ended {
                1 => "1 archive".to_owned(),
                ended => format!("{ended} archives"),
            };
            (count.clone(), count)
        }
    };
    let sizes = sizes.unwrap_or_else(|| received.clone());
    let forms: [&[&str]; 5] = [
        &[&count, &failed, &sizes, &rate, &eta],
        &[&count, &failed, &received, &rate, &eta],
        &[&short, &failed, &received, &rate],
        &[&short, &failed, &received],
        &[&short, &failed],
    ];
    let forms = forms.map(|parts| {
        let parts = parts.iter().filter(|part| !part.is_empty());
        parts.copied().collect::<Vec<_>>().join(", ")
    });
    let fitting = forms.iter().find(|form| display_width(form) <= room);
    match fitting {
        Some(form) => format!("{}  {elapsed:>ELAPSED$}", fit(form, room)),
        None => fit(&short, width),
    }
}

fn percent(bytes: u64, length: u64) -> u64 {
    match length {
        0 => 100,
        length => u64::try_from(u128::from(bytes) * 100 / u128::from(length)).unwrap_or(100),
    }
    .min(100)
}

fn bar(bytes: u64, length: Option<u64>, width: usize) -> String {
    let Some(length) = length.filter(|_| width > GAP) else {
        return String::new();
    };
    let inside = width - 2;
    let full = inside * usize::try_from(percent(bytes, length)).unwrap_or(100) / 100;
    let (done, tip) = match full {
        0 => (0, ""),
        full if full < inside => (full - 1, ">"),
        full => (full, ""),
    };
    format!("[{:<inside$}]", "=".repeat(done) + tip)
}

fn rate(bytes_per_second: Option<u64>) -> String {
    bytes_per_second.map_or_else(String::new, |rate| format!("{}/s", format_byte_size(rate)))
}

/// A time in its two largest units, in at most six columns for less than 100 days.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match hours {
        0 if minutes == 0 => format!("{seconds}s"),
        0 => format!("{minutes}m{:02}s", seconds % 60),
        1..48 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tulip_archive::Event;

    const NAMES: [&str; 5] = [
        "Mill 07",
        "プレス機 第二工場",
        "Fräse 🏭🔧 am langen Ende der Halle",
        "x",
        "长城机床厂数控车床一号二号三号四号五号六号",
    ];

    /// A run whose exports are all at different steps.
    fn view(now: Instant) -> View {
        let mut view = View::new(Some(30), now);
        for (at, name) in NAMES.iter().enumerate() {
            let id = view.add(name, now);
            let length = (at != 1).then_some(45_600_000);
            match at {
                3 => view.show(id, &Event::Committing),
                4 => {}
                _ => {
                    let key = "a.csv".parse().unwrap();
                    view.show(id, &Event::Downloading { key: &key, length });
                }
            }
        }
        view.sample(now);
        for (id, bytes) in [(0, 12_300_000), (1, 999_900_000), (2, 45_599_000)] {
            view.show(
                id,
                &Event::Progress {
                    bytes,
                    length: None,
                    records: 1,
                    retries: 0,
                },
            );
        }
        view
    }

    fn drawn(width: usize, height: usize) -> Vec<String> {
        let now = Instant::now();
        lines(&mut view(now), now + Duration::from_secs(72), width, height)
    }

    #[test]
    fn progress_at_80_columns() {
        let expected = [
            "Mill 07                 12.3 MB of 45.6 MB   26%  170.8 kB/s   ETA 3m15s   1m12s",
            "プレス機 第二工場                 999.9 MB         13.9 MB/s               1m12s",
            "Fräse 🏭🔧 am lange…    45.6 MB of 45.6 MB   99%  633.3 kB/s      ETA 1s   1m12s",
            "x                     committing                                           1m12s",
            "长城机床厂数控车床…   starting                                             1m12s",
            "0 of 30 archives, 1.1 GB, 14.7 MB/s                                        1m12s",
        ];
        assert_eq!(drawn(80, 24), expected);
    }

    #[test]
    fn progress_at_40_columns() {
        let expected = [
            "Mill 07          26%  170.8 kB/s   1m12s",
            "プレス機 …  999.9 MB   13.9 MB/s   1m12s",
            "Fräse 🏭…        99%  633.3 kB/s   1m12s",
            "x           committing             1m12s",
            "长城机床…   starting               1m12s",
            "0/30, 1.1 GB, 14.7 MB/s            1m12s",
        ];
        assert_eq!(drawn(40, 24), expected);
    }

    #[test]
    fn every_line_fits_every_width() {
        for width in 0..200 {
            for line in drawn(width, 24) {
                assert!(display_width(&line) <= width, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn names_of_every_width_align() {
        for width in [40, 60, 80, 120] {
            let drawn = drawn(width, 24);
            assert_eq!(drawn.len(), NAMES.len() + 1);
            for line in drawn {
                assert_eq!(display_width(&line), width.min(LINE), "{line:?}");
            }
        }
    }

    #[test]
    fn there_are_fewer_lines_than_the_terminal_has_rows() {
        for height in 1..12 {
            let drawn = drawn(80, height);
            assert!(drawn.len() <= height.saturating_sub(1).max(1), "{drawn:?}");
            assert!(drawn.last().unwrap().starts_with("0 of 30"), "{drawn:?}");
        }
        let drawn = drawn(80, 5);
        assert_eq!(drawn[2], "… and 3 more");
    }

    #[test]
    fn what_is_left_is_told_once_all_of_it_is_known() {
        let now = Instant::now();
        let mut view = View::new(Some(2), now);
        let key = "a.csv".parse().unwrap();
        let length = Some(1_000_000);
        let first = view.add("a", now);
        view.show(first, &Event::Downloading { key: &key, length });
        view.sample(now);
        view.show(
            first,
            &Event::Progress {
                bytes: 250_000,
                length,
                records: 1,
                retries: 0,
            },
        );
        let later = now + Duration::from_secs(1);
        let total = |view: &mut View| lines(view, later, 80, 24).pop().unwrap();
        assert!(!total(&mut view).contains("ETA"));
        view.count(true);
        let text = total(&mut view);
        assert_eq!(
            text.split("  ").next().unwrap(),
            "1 of 2 archives, 1 failed, 250.0 kB of 1.0 MB, 250.0 kB/s, ETA 3s"
        );
    }

    #[test]
    fn how_many_archives_there_are_is_told_once_it_is_known() {
        let now = Instant::now();
        let mut view = View::new(None, now);
        let id = view.add("a.csv", now);
        view.show_read(id, 0, 1_000_000);
        view.sample(now);
        view.show_read(id, 250_000, 1_000_000);
        view.count(false);
        let later = now + Duration::from_secs(1);
        let total = |view: &mut View, width| {
            let line = lines(view, later, width, 24).pop().unwrap();
            line.split("  ").next().unwrap().to_owned()
        };
        assert_eq!(total(&mut view, 80), "1 archive, 250.0 kB, 250.0 kB/s");
        view.complete();
        assert_eq!(
            total(&mut view, 80),
            "1 of 2 archives, 250.0 kB of 1.0 MB, 250.0 kB/s, ETA 3s"
        );
        assert_eq!(total(&mut view, 40), "1/2, 250.0 kB, 250.0 kB/s");
    }

    #[test]
    fn times_take_six_columns() {
        let day = 24 * 3600;
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (72, "1m12s"),
            (3599, "59m59s"),
            (3600, "1h00m"),
            (2 * day - 1, "47h59m"),
            (99 * day, "99d00h"),
        ] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
            assert!(text.len() <= ELAPSED);
        }
    }

    #[test]
    fn a_bar_is_full_at_the_end_and_not_before() {
        assert_eq!(bar(0, Some(100), 12), "[          ]");
        assert_eq!(bar(50, Some(100), 12), "[====>     ]");
        assert_eq!(bar(99, Some(100), 12), "[========> ]");
        assert_eq!(bar(100, Some(100), 12), "[==========]");
        assert_eq!(bar(u64::MAX, Some(1), 12), "[==========]");
        assert_eq!(bar(0, Some(0), 12), "[==========]");
        assert_eq!(bar(5, None, 12), "");
    }
}
