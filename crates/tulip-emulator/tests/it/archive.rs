use std::collections::HashSet;

use proptest::prelude::*;
use tulip_core::MachineId;
use tulip_emulator::{CsvArchive, MachineKind};

const BLOCK: u64 = 6_720;

fn machine(name: &str) -> MachineId {
    name.parse().unwrap()
}

fn archive(kind: MachineKind, rows: u64) -> CsvArchive {
    CsvArchive::new(3, &machine("m1"), kind, rows).unwrap()
}

fn records(archive: &CsvArchive) -> (csv::StringRecord, Vec<csv::StringRecord>) {
    let bytes = archive.to_bytes();
    assert_eq!(bytes.len() as u64, archive.len());
    assert_eq!(bytes.last(), Some(&b'\n'));
    // The reader refuses records with different numbers of fields.
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let header = reader.headers().unwrap().clone();
    (header, reader.records().map(Result::unwrap).collect())
}

#[test]
fn every_row_count_parses_to_as_many_records() {
    for kind in MachineKind::ALL {
        for rows in [
            0,
            1,
            2,
            3,
            100,
            BLOCK - 1,
            BLOCK,
            BLOCK + 1,
            2 * BLOCK,
            2 * BLOCK + 1,
        ] {
            let (header, records) = records(&archive(kind, rows));
            assert_eq!(records.len() as u64, rows);
            assert!((10..=12).contains(&header.len()));
            assert_eq!(&header[0], "State");
        }
    }
}

#[test]
fn no_rows_leave_the_header_alone() {
    let empty = archive(MachineKind::Cnc, 0);
    assert_eq!(empty.to_bytes(), empty.header());
}

#[test]
fn only_the_newest_row_is_open_and_rows_follow_each_other() {
    let (_, records) = records(&archive(MachineKind::Molding, 2 * BLOCK + 5));
    let (open, ended) = records.split_last().unwrap();
    assert_eq!((&open[2], &open[3]), ("", ""));
    let mut previous = "2018-01-01T00:00:00Z".to_owned();
    for record in ended {
        assert_eq!(record[1], previous);
        let time = |text: &str| humantime::parse_rfc3339(text).unwrap();
        let took = time(&record[2]).duration_since(time(&record[1])).unwrap();
        assert_eq!(record[3], took.as_secs().to_string());
        assert!(took.as_secs() > 0);
        record[2].clone_into(&mut previous);
    }
    assert_eq!(open[1], previous);
}

#[test]
fn text_fields_hold_what_breaks_naive_readers() {
    for kind in MachineKind::ALL {
        let (_, records) = records(&archive(kind, BLOCK));
        let fields: HashSet<_> = records.iter().flat_map(|record| record.iter()).collect();
        for odd in [",", "\"", "\n"] {
            assert!(
                fields.iter().any(|field| field.contains(odd)),
                "{kind:?} {odd:?}"
            );
        }
        assert!(fields.iter().any(|field| !field.is_ascii()));
    }
}

#[test]
fn more_rows_keep_the_rows_that_had_ended() {
    let few = archive(MachineKind::Laser, 50);
    let more = archive(MachineKind::Laser, BLOCK + 50);
    let (few, more) = (few.to_bytes(), more.to_bytes());
    let (_, records) = records(&archive(MachineKind::Laser, 49));
    assert_eq!(records.len(), 49);
    let shared = few.iter().zip(&more).take_while(|(a, b)| a == b).count();
    // All rows but the open one, of which only the beginning agrees.
    let ended = few.len() - few.rsplit(|byte| *byte == b'\n').nth(1).unwrap().len() - 1;
    assert!(shared >= ended, "{shared} of {ended}");
}

#[test]
fn content_follows_from_seed_machine_and_kind() {
    let of = |seed, name, kind| {
        CsvArchive::new(seed, &machine(name), kind, 50)
            .unwrap()
            .to_bytes()
    };
    let one = of(3, "m1", MachineKind::Cnc);
    assert_eq!(one, of(3, "m1", MachineKind::Cnc));
    assert_ne!(one, of(4, "m1", MachineKind::Cnc));
    assert_ne!(one, of(3, "m2", MachineKind::Cnc));
    assert_ne!(one, of(3, "m1", MachineKind::Laser));
}

#[test]
fn the_longest_archive_still_has_years_of_four_digits() {
    let longest = archive(MachineKind::Cnc, CsvArchive::MAX_ROWS);
    let tail = longest.chunk(longest.len() - 4_000, 4_000);
    let tail = String::from_utf8_lossy(&tail);
    assert!(tail.contains("9999-12-"), "{tail}");
    assert!(longest.len() > 230_000_000_000);
    let error = CsvArchive::new(
        3,
        &machine("m1"),
        MachineKind::Cnc,
        CsvArchive::MAX_ROWS + 1,
    );
    assert!(error.is_err());
}

#[test]
fn reading_past_the_end_gives_nothing() {
    let archive = archive(MachineKind::Cnc, 10);
    for offset in [archive.len(), archive.len() + 1, u64::MAX] {
        assert_eq!(archive.read_at(offset, &mut [0; 8]), 0);
        assert!(archive.chunk(offset, 8).is_empty());
    }
    assert_eq!(archive.read_at(archive.len() - 3, &mut [0; 8]), 3);
}

#[test]
fn a_far_read_agrees_with_its_neighbours() {
    let archive = archive(MachineKind::Molding, 1_000_000_000);
    let at = archive.len() / 3 * 2;
    let whole = archive.chunk(at, 3_000_000);
    for cut in [1, 777_777, 1_500_001] {
        assert_eq!(archive.chunk(at, cut), whole[..cut]);
        assert_eq!(
            archive.chunk(at + cut as u64, 3_000_000 - cut),
            whole[cut..]
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_read_equals_that_part_of_the_whole(
        rows in prop_oneof![0..200_u64, BLOCK - 2..BLOCK + 3, Just(2 * BLOCK + 77)],
        from in 0.0..1.0_f64,
        length in prop_oneof![0..64_usize, Just(5_000_000)],
    ) {
        let archive = archive(MachineKind::Laser, rows);
        let whole = archive.to_bytes();
        let start = (whole.len() as f64 * from) as usize;
        let end = (start + length).min(whole.len());
        prop_assert_eq!(archive.chunk(start as u64, length), whole.slice(start..end));
        let mut buffer = vec![0; length];
        let read = archive.read_at(start as u64, &mut buffer);
        prop_assert_eq!(&buffer[..read], &whole[start..end]);
    }
}
