//! The options of a sink's URL, read.

use tulip_core::sink::{SinkError, SinkErrorKind, SinkOption, SinkUrl};

use crate::object::parts::{Buffering, MIB};

pub(crate) const MEMORY: SinkOption = SinkOption::new(
    "memory",
    "how much of an object is held in memory, for example 80MiB; more lets more parts be on their way",
)
.public()
.tuning();
pub(crate) const PART_SIZE: SinkOption = SinkOption::new(
    "part_size",
    "how large parts are, 5MiB or more; they grow where an object would need over 10000",
)
.public()
.tuning();

/// What stores take as the smallest part of an upload.
const SMALLEST_PART: u64 = 5 * MIB;

/// The options of one URL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'a>(&'a SinkUrl);

impl<'a> Settings<'a> {
    pub(crate) fn of(url: &'a SinkUrl) -> Self {
        Self(url)
    }

    fn size(self, name: &str) -> Result<Option<u64>, SinkError> {
        let Some(text) = self.0.option(name) else {
            return Ok(None);
        };
        match tulip_core::parse_byte_size(&text) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(invalid(
                name,
                "a size such as 64MiB, 500MB or 67108864 is wanted",
            )),
        }
    }

    /// How much is held in memory, where `default` is not wanted.
    pub(crate) fn buffering(self, default: Buffering) -> Result<Buffering, SinkError> {
        let part = self.size(PART_SIZE.name)?;
        let memory = self.size(MEMORY.name)?;
        if part.is_some_and(|bytes| !(SMALLEST_PART..=2048 * MIB).contains(&bytes)) {
            return Err(invalid(
                PART_SIZE.name,
                "a size from 5MiB to 2GiB is wanted",
            ));
        }
        if memory.is_some_and(|bytes| bytes < SMALLEST_PART) {
            return Err(invalid(MEMORY.name, "5MiB or more is wanted"));
        }
        let memory_or_default = memory.unwrap_or(default.memory);
        let part = match part {
            Some(part) if memory.is_some_and(|memory| memory < part) => {
                let what = format!("it cannot be less than {} = {part} bytes", PART_SIZE.name);
                return Err(invalid(MEMORY.name, &what));
            }
            Some(part) => part,
            // Little memory is spent on smaller parts first: two of them keep a line busy.
            None => default
                .part
                .min((memory_or_default / 2).max(SMALLEST_PART.min(default.part))),
        };
        Ok(Buffering {
            part,
            memory: memory_or_default.max(part),
        })
    }
}

/// An option whose value cannot be used. The value is not shown: it can be a secret.
pub(crate) fn invalid(name: &str, reason: &str) -> SinkError {
    let what = format!("the option {name:?} cannot be used: {reason}");
    SinkError::new(SinkErrorKind::InvalidTarget, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Buffering = Buffering {
        part: 8 * MIB,
        memory: 40 * MIB,
    };

    fn buffering(query: &str) -> Result<Buffering, String> {
        let url = format!("s3://b?{query}").parse().unwrap();
        Settings::of(&url)
            .buffering(DEFAULT)
            .map_err(|error| error.to_string())
    }

    fn of(part: u64, memory: u64) -> Buffering {
        Buffering {
            part: part * MIB,
            memory: memory * MIB,
        }
    }

    #[test]
    fn memory_and_parts_fit_together() {
        assert_eq!(buffering("").unwrap(), DEFAULT);
        assert_eq!(buffering("memory=80MiB").unwrap(), of(8, 80));
        assert_eq!(buffering("memory=10MiB").unwrap(), of(5, 10));
        assert_eq!(buffering("part_size=64MiB").unwrap(), of(64, 64));
        assert_eq!(
            buffering("part_size=16MiB&memory=64MiB").unwrap(),
            of(16, 64)
        );
        for wrong in [
            "memory=1MiB",
            "memory=lots",
            "part_size=1MiB",
            "part_size=3GiB",
            "part_size=16MiB&memory=8MiB",
        ] {
            let error = buffering(wrong).unwrap_err();
            assert!(error.contains("cannot be used"), "{error}");
        }
    }
}
