//! The options common to all cloud sinks.

use object_store::Attribute;
use object_store::path::Path;
use tulip_core::sink::{SinkError, SinkErrorKind, SinkOption, SinkUrl};

use super::budget::{MIB, MemoryBudget};
use super::clients::CreateRule;
use super::metadata::ObjectMetadata;

/// The budget if the options set none.
const DEFAULT_BUDGET: MemoryBudget = MemoryBudget {
    part: 8 * MIB,
    memory: 40 * MIB,
};

/// The smallest part of an upload that stores accept.
const SMALLEST_PART: u64 = 5 * MIB;

pub(super) const ENDPOINT: SinkOption = SinkOption::new(
    "endpoint",
    "the store's URL, where it is not the cloud's own",
)
.public();
pub(super) const ALLOW_HTTP: SinkOption =
    SinkOption::new("allow_http", "true allows endpoints without TLS").public();
pub(super) const CREATE_ONLY: SinkOption = SinkOption::new(
    "create_only",
    "whether the store keeps create-only requests: auto (tries another's store once), always, never",
).public();
pub(super) const STORAGE_CLASS: SinkOption = SinkOption::new(
    "storage_class",
    "the storage class or access tier of new objects, as the store names it",
)
.public();
pub(super) const MEMORY: SinkOption = SinkOption::new(
    "memory",
    "how much of an object is held in memory, for example 80MiB; more lets more parts be in flight",
)
.public()
.tuning();
pub(super) const PART_SIZE: SinkOption = SinkOption::new(
    "part_size",
    "how large parts are, 5MiB or more; they grow where an object would need over 10000",
)
.public()
.tuning();

pub(super) const METADATA: SinkOption =
    SinkOption::new("metadata.NAME", "metadata of that name for every object").public();
pub(super) const ANONYMOUS: SinkOption =
    SinkOption::new("anonymous", "true sends requests without credentials").public();

/// The options of a cloud sink's URL.
#[derive(Debug, Clone, Copy)]
pub(super) struct CloudUrl<'a>(pub(super) &'a SinkUrl);

impl CloudUrl<'_> {
    pub(super) fn text(self, option: SinkOption) -> Option<String> {
        self.0.option(option.name)
    }

    pub(super) fn flag(self, option: SinkOption) -> Result<Option<bool>, SinkError> {
        match self.text(option).as_deref() {
            None => Ok(None),
            Some("true" | "1" | "yes") => Ok(Some(true)),
            Some("false" | "0" | "no") => Ok(Some(false)),
            Some(_) => Err(invalid(option.name, "expected true or false")),
        }
    }

    /// The path as a prefix of keys.
    pub(super) fn prefix(self) -> Result<Path, SinkError> {
        Path::parse(self.0.path()).map_err(|error| {
            let what = format!("the path of {} cannot be a prefix of keys", shown(self.0));
            SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(error)
        })
    }

    /// The bucket, which is the URL's host.
    pub(super) fn bucket(self) -> Result<String, SinkError> {
        let scheme = self.0.scheme();
        let bucket = self.0.host().ok_or_else(|| {
            let what = format!("the target names no bucket: write {scheme}://bucket/prefix");
            SinkError::new(SinkErrorKind::InvalidTarget, what)
        })?;
        let url = self.0.expose();
        if url.port().is_some() || !url.username().is_empty() || url.password().is_some() {
            let what = format!(
                "{} holds more than a bucket and a prefix; a store's address goes into the option \
                 endpoint, credentials into the environment",
                shown(self.0)
            );
            return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
        }
        Ok(bucket.to_owned())
    }

    /// The storage class and metadata of every object. `hyphens` says whether metadata names may
    /// have hyphens.
    pub(super) fn metadata(self, hyphens: bool) -> ObjectMetadata {
        let mut kept = ObjectMetadata::new(hyphens);
        if let Some(class) = self.text(STORAGE_CLASS) {
            kept.set(Attribute::StorageClass, class);
        }
        let named = self.0.options().filter_map(|(name, value)| {
            let name = name.strip_prefix("metadata.")?;
            Some((name.to_ascii_lowercase(), value))
        });
        kept.add(&named.collect());
        kept
    }

    /// Refuses metadata names that headers cannot carry.
    pub(super) fn check_metadata_names(self) -> Result<(), SinkError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        for (name, _) in self.0.options() {
            let Some(key) = name.strip_prefix("metadata.") else {
                continue;
            };
            if !key.bytes().all(plain) {
                let reason = "a metadata name has only letters, digits, - and _";
                return Err(invalid(&name, reason));
            }
        }
        Ok(())
    }

    fn size(self, name: &str) -> Result<Option<u64>, SinkError> {
        let Some(text) = self.0.option(name) else {
            return Ok(None);
        };
        match tulip_core::parse_byte_size(&text) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(invalid(
                name,
                "expected a size such as 64MiB, 500MB or 67108864",
            )),
        }
    }

    /// How much may be held in memory.
    pub(super) fn budget(self) -> Result<MemoryBudget, SinkError> {
        let part = self.size(PART_SIZE.name)?;
        let memory = self.size(MEMORY.name)?;
        if part.is_some_and(|bytes| !(SMALLEST_PART..=2048 * MIB).contains(&bytes)) {
            return Err(invalid(PART_SIZE.name, "expected a size from 5MiB to 2GiB"));
        }
        if memory.is_some_and(|bytes| bytes < SMALLEST_PART) {
            return Err(invalid(MEMORY.name, "expected 5MiB or more"));
        }
        let memory_or_default = memory.unwrap_or(DEFAULT_BUDGET.memory);
        let part = match part {
            Some(part) if memory.is_some_and(|memory| memory < part) => {
                let what = format!("it cannot be less than {} = {part} bytes", PART_SIZE.name);
                return Err(invalid(MEMORY.name, &what));
            }
            Some(part) => part,
            // With little memory, parts shrink first: two of them keep a connection busy.
            None => DEFAULT_BUDGET
                .part
                .min((memory_or_default / 2).max(SMALLEST_PART)),
        };
        Ok(MemoryBudget {
            part,
            memory: memory_or_default.max(part),
        })
    }

    /// The rule for create-only requests. The cloud's own store (`is_own`) honours them.
    pub(super) fn create_rule(self, is_own: bool) -> Result<CreateRule, SinkError> {
        match self.text(CREATE_ONLY).as_deref() {
            None | Some("auto") if is_own => Ok(CreateRule::Always),
            None | Some("auto") => Ok(CreateRule::Try),
            Some("always") => Ok(CreateRule::Always),
            Some("never") => Ok(CreateRule::Never),
            Some(_) => Err(invalid(CREATE_ONLY.name, "expected auto, always or never")),
        }
    }
}

/// The target as written, without its options.
pub(super) fn shown(url: &SinkUrl) -> String {
    let host = url.host().unwrap_or_default();
    let text = format!("{}://{host}{}", url.scheme(), url.path());
    text.trim_end_matches('/').to_owned()
}

/// Returns the error for an option whose value cannot be used. The value is not shown, since it can
/// be a secret.
pub(super) fn invalid(name: &str, reason: &str) -> SinkError {
    let what = format!("the option {name:?} cannot be used: {reason}");
    SinkError::new(SinkErrorKind::InvalidTarget, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(query: &str) -> Result<MemoryBudget, String> {
        let url = format!("s3://b?{query}").parse().unwrap();
        let budget = CloudUrl(&url).budget();
        budget.map_err(|error| error.to_string())
    }

    fn of(part: u64, memory: u64) -> MemoryBudget {
        MemoryBudget {
            part: part * MIB,
            memory: memory * MIB,
        }
    }

    #[test]
    fn memory_and_parts_fit_together() {
        assert_eq!(budget("").unwrap(), DEFAULT_BUDGET);
        assert_eq!(budget("memory=80MiB").unwrap(), of(8, 80));
        assert_eq!(budget("memory=10MiB").unwrap(), of(5, 10));
        assert_eq!(budget("part_size=64MiB").unwrap(), of(64, 64));
        assert_eq!(budget("part_size=16MiB&memory=64MiB").unwrap(), of(16, 64));
        for wrong in [
            "memory=1MiB",
            "memory=lots",
            "part_size=1MiB",
            "part_size=3GiB",
            "part_size=16MiB&memory=8MiB",
        ] {
            let error = budget(wrong).unwrap_err();
            assert!(error.contains("cannot be used"), "{error}");
        }
    }
}
