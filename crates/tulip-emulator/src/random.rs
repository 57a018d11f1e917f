//! Numbers and names derived from a seed. Implemented here, so that a seed always gives the same
//! bytes.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator for one `purpose` and `index` under `seed`.
    pub(crate) fn of(seed: u64, purpose: &str, index: u64) -> Self {
        Self(mix(mix(seed ^ hash(purpose.as_bytes())) ^ index))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `0..bound`, or 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let high = ((self.next() >> 32) * u64::from(bound)) >> 32;
        u32::try_from(high).unwrap_or(0)
    }

    /// One of `items`, which must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        let bound = u32::try_from(items.len()).unwrap_or(u32::MAX);
        items[self.below(bound) as usize]
    }

    /// `length` characters of `[A-Za-z0-9]`, as in Tulip's ids.
    pub(crate) fn name(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(self.pick(ALPHANUMERIC)))
            .collect()
    }
}

/// FNV-1a, then mixed.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(fnv)
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_numbers_for_ever() {
        let mut random = Random(0);
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn purposes_and_indices_give_other_numbers() {
        let first = Random::of(1, "job", 0).name(17);
        assert_eq!(first, Random::of(1, "job", 0).name(17));
        assert_ne!(first, Random::of(1, "job", 1).name(17));
        assert_ne!(first, Random::of(1, "machine", 0).name(17));
        assert_ne!(first, Random::of(2, "job", 0).name(17));
    }

    #[test]
    fn below_stays_below() {
        let mut random = Random(3);
        assert!((0..1000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
    }
}
