//! The data that the benchmarks measure on.

use bytes::Bytes;
use tulip_core::MachineId;
use tulip_emulator::{CsvArchive, MachineKind};

/// The beginning of a realistic archive: exactly `bytes` bytes.
///
/// # Panics
/// If the archive cannot be made up, which its fixed parameters rule out.
#[must_use]
pub fn archive(bytes: usize) -> Bytes {
    let machine = MachineId::new("g56RCoZCtzv7borvp").expect("a valid id");
    let archive = CsvArchive::new(7, &machine, MachineKind::Cnc, bytes as u64 / 60);
    archive.expect("few enough rows").chunk(0, bytes)
}
