//! The options in a sink's URL.

use super::{SinkError, SinkErrorKind, SinkUrl};

/// An option in the query of a sink's URL.
///
/// ```
/// use tulip_core::sink::SinkOption;
/// const REGION: SinkOption = SinkOption::new("region", "where the bucket is").public();
/// const BATCH: SinkOption = SinkOption::new("batch", "rows per request").public().tuning();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkOption {
    /// Its name, for example `region`. A name that ends in `.NAME` accepts any name there:
    /// `metadata.NAME` allows `metadata.team`.
    pub name: &'static str,
    /// One line of help: what it does, the values it takes, its default.
    pub summary: &'static str,
    /// Whether its values can be shown and stored. By default they are secret.
    pub public: bool,
    /// Whether it only affects how fast or with how much memory objects are written, not where they
    /// go or what they contain. URLs that differ only in such options are the same place.
    pub tuning: bool,
}

impl SinkOption {
    /// Creates an option from its name and summary.
    #[must_use]
    pub const fn new(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            public: false,
            tuning: false,
        }
    }

    /// Declares that the option's values are not secret.
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// Declares that the option only tunes: see [`SinkOption::tuning`](field@SinkOption::tuning).
    #[must_use]
    pub const fn tuning(mut self) -> Self {
        self.tuning = true;
        self
    }

    pub(super) fn allows(&self, name: &str) -> bool {
        match self.name.strip_suffix(".NAME") {
            Some(group) => name
                .split_once('.')
                .is_some_and(|(of, rest)| of == group && !rest.is_empty()),
            None => self.name == name,
        }
    }

    /// Refuses a URL with an option that is not in `known`, or with one option twice.
    ///
    /// # Errors
    /// [`SinkErrorKind::InvalidTarget`], naming the known options. Values are never shown.
    pub(super) fn check(url: &SinkUrl, known: &[Self]) -> Result<(), SinkError> {
        let invalid = |what: String| Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
        let scheme = url.scheme();
        let mut seen = Vec::new();
        for (name, _) in url.options() {
            if !known.iter().any(|option| option.allows(&name)) {
                let names: Vec<_> = known.iter().map(|option| option.name).collect();
                let known = match names.as_slice() {
                    [] => "it has none".to_owned(),
                    names => format!("it has: {}", names.join(", ")),
                };
                return invalid(format!("the {scheme} sink has no option {name:?}; {known}"));
            }
            if seen.contains(&name) {
                return invalid(format!("the option {name:?} is given twice"));
            }
            seen.push(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [SinkOption; 2] = [
        SinkOption::new("region", "where the bucket is"),
        SinkOption::new("metadata.NAME", "kept beside each object"),
    ];

    fn check(url: &str, known: &[SinkOption]) -> Result<(), String> {
        SinkOption::check(&url.parse().unwrap(), known).map_err(|error| error.to_string())
    }

    #[test]
    fn known_options_pass_and_names_may_be_open() {
        assert_eq!(
            check("s3://b?region=x&metadata.team=y&metadata.a=z", &KNOWN),
            Ok(())
        );
        assert_eq!(check("s3://b", &[]), Ok(()));
    }

    #[test]
    fn unknown_and_repeated_options_are_refused_without_their_values() {
        let unknown = check("s3://b?regoin=5ecret", &KNOWN).unwrap_err();
        assert!(
            unknown.contains(r#"no option "regoin"; it has: region, metadata.NAME"#),
            "{unknown}"
        );
        assert!(!unknown.contains("5ecret"), "{unknown}");
        assert!(check("s3://b?metadata.=x", &KNOWN).is_err());
        let none = check("mine://b?a=1", &[]).unwrap_err();
        assert!(none.contains("it has none"), "{none}");
        let twice = check("s3://b?region=x&region=y", &KNOWN).unwrap_err();
        assert!(twice.contains("given twice"), "{twice}");
    }
}
