//! The environment variables that S3's settings come from.

use std::collections::BTreeMap;

use object_store::aws::AmazonS3Builder;

/// Variables by name. An empty one counts as unset.
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Reads the variables of this process.
    pub(super) fn of_process() -> Self {
        let variables = std::env::vars_os();
        variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Returns a builder with the settings of all variables but `left_out`, by `object_store`'s
    /// names.
    pub(super) fn builder(&self, left_out: &[&str]) -> AmazonS3Builder {
        let mut builder = AmazonS3Builder::new();
        for (name, value) in &self.0 {
            if name.starts_with("AWS_")
                && !left_out.contains(&name.as_str())
                && let Ok(key) = name.to_ascii_lowercase().parse()
            {
                builder = builder.with_config(key, value);
            }
        }
        builder
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        Self(variables.filter(|(_, value)| !value.is_empty()).collect())
    }
}
