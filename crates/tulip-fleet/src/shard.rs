//! Shards of an instance's machines, for runs that divide the machines among them.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use tulip_archive::Source;

/// One of several equal parts of all machines, written `2/3`: the second of three.
///
/// The shard of a machine depends on its id alone, so it is the same in every run, whatever other
/// machines there are: the first eight bytes of the SHA-256 of the id, as a big-endian number,
/// modulo the number of shards. Every machine is in exactly one shard. For a job without a known
/// machine, the id of the job is used.
///
/// ```
/// use tulip_fleet::{Shard, archive::Source};
/// let machine = Source::machine("g56RCoZCtzv7borvp".parse()?);
/// let holds = |text: &str| text.parse::<Shard>().map(|shard| shard.holds(&machine));
/// assert_eq!([holds("1/3")?, holds("2/3")?, holds("3/3")?], [false, false, true]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Counted from 0.
    index: u32,
    count: NonZeroU32,
}

/// Why a text or a number is not a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// It is not two numbers with a slash between them.
    #[error("expected the number of a shard and how many there are, such as 1/3")]
    NotAShard,
    /// There is no shard with that number.
    #[error("there is no shard {number} of {count}; they are numbered from 1")]
    OutOfRange {
        /// The number, counted from 1.
        number: u64,
        /// How many shards there are.
        count: u32,
    },
}

impl Shard {
    /// Returns the shard with this index, counted from 0, of `count` shards.
    ///
    /// # Errors
    /// [`ShardError::OutOfRange`] if there are not that many.
    pub fn new(index: u32, count: u32) -> Result<Self, ShardError> {
        let number = u64::from(index) + 1;
        match NonZeroU32::new(count).filter(|count| index < count.get()) {
            Some(count) => Ok(Self { index, count }),
            None => Err(ShardError::OutOfRange { number, count }),
        }
    }

    /// Returns its number, counted from 1.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::from(self.index) + 1
    }

    /// Returns the number of shards.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count.get()
    }

    /// Whether this source is in the shard.
    #[must_use]
    pub fn holds(self, source: &Source) -> bool {
        let machine = source.known_machine().map(|machine| machine.as_str());
        let id = machine.or_else(|| source.known_job().map(|job| job.as_str()));
        index_of(id.unwrap_or_default(), self.count) == self.index
    }
}

fn index_of(id: &str, count: NonZeroU32) -> u32 {
    let digest = Sha256::digest(id.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    let index = u64::from_be_bytes(first) % u64::from(count.get());
    u32::try_from(index).unwrap_or_default()
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number(), self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let (number, count) = text
            .split_once('/')
            .and_then(|(first, second)| Some((number(first)?, number(second)?)))
            .ok_or(ShardError::NotAShard)?;
        match number.checked_sub(1) {
            Some(index) => Self::new(index, count),
            None => Err(ShardError::OutOfRange {
                number: u64::from(number),
                count,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shard(text: &str) -> Shard {
        text.parse().unwrap()
    }

    fn machine(id: &str) -> Source {
        Source::machine(id.parse().unwrap())
    }

    /// Every version, and every program that splits machines in the same way, must compute this:
    /// `printf %s ID | sha256sum | cut -c1-16`, as a hexadecimal number, modulo the count.
    #[test]
    fn machines_stay_in_their_shard_for_ever() {
        for (id, of_2, of_3, of_7, of_1000) in VECTORS {
            for (count, index) in [(2, of_2), (3, of_3), (7, of_7), (1000, of_1000)] {
                let shard = Shard::new(index, count).unwrap();
                assert!(shard.holds(&machine(id)), "{id} {shard}");
            }
        }
    }

    const VECTORS: [(&str, u32, u32, u32, u32); 4] = [
        ("g56RCoZCtzv7borvp", 1, 2, 2, 511),
        ("evsLrbKLQgX8YWE4v", 0, 1, 6, 888),
        ("a", 0, 1, 4, 250),
        ("Fr_8-x", 0, 1, 1, 640),
    ];

    #[test]
    fn a_shard_is_written_as_its_number_and_their_count() {
        assert_eq!(shard("2/3"), Shard::new(1, 3).unwrap());
        assert_eq!(shard(" 2 / 3 ").to_string(), "2/3");
        assert_eq!(shard("1/1").number(), 1);
        for text in ["", "1", "1/", "/3", "a/b", "-1/3", "1.5/3", "1/2/3"] {
            assert_eq!(text.parse::<Shard>(), Err(ShardError::NotAShard), "{text}");
        }
        for (text, number, count) in [("0/3", 0, 3), ("4/3", 4, 3), ("1/0", 1, 0)] {
            let refused = ShardError::OutOfRange { number, count };
            assert_eq!(text.parse::<Shard>(), Err(refused), "{text}");
        }
        assert!(Shard::new(u32::MAX, u32::MAX).is_err());
    }

    #[test]
    fn a_job_without_a_machine_is_in_one_shard_too() {
        let job = Source::job("evsLrbKLQgX8YWE4v".parse().unwrap());
        let shards = (0..5).map(|index| Shard::new(index, 5).unwrap());
        assert_eq!(shards.filter(|shard| shard.holds(&job)).count(), 1);
    }

    #[test]
    fn shards_are_about_equal() {
        let sources: Vec<_> = (0..3000).map(|nth| machine(&format!("m{nth}"))).collect();
        for index in 0..3 {
            let shard = Shard::new(index, 3).unwrap();
            let held = sources.iter().filter(|source| shard.holds(source)).count();
            assert!((900..1100).contains(&held), "{shard}: {held}");
        }
    }

    proptest! {
        #[test]
        fn every_machine_is_in_exactly_one_shard(id in "[A-Za-z0-9_-]{1,30}", count in 1_u32..50) {
            let machine = machine(&id);
            let shards = (0..count).map(|index| Shard::new(index, count).unwrap());
            prop_assert_eq!(shards.filter(|shard| shard.holds(&machine)).count(), 1);
        }

        #[test]
        fn what_is_written_is_read(index in 0_u32..50, more in 1_u32..50) {
            let shard = Shard::new(index, index + more).unwrap();
            prop_assert_eq!(shard.to_string().parse(), Ok(shard));
        }
    }
}
