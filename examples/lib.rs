//! The code in README.md and docs/, compiled and run as documentation tests. The examples stand
//! beside this file, one each.

#[cfg(doctest)]
mod markdown {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/sinks.md")]
    mod sinks {}
    #[doc = include_str!("../docs/embedding.md")]
    mod embedding {}
}
