//! What stores keep beside an object.

use object_store::Attributes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tulip_core::sink::Metadata;

/// Headers carry visible ASCII; the rest, and the sign that tells of it, is percent-encoded.
const HEADER: &AsciiSet = &CONTROLS.add(b'%');

/// The names that a store allows in metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetadataNames {
    #[cfg(any(feature = "s3", feature = "gcs"))]
    Headers,
    /// Without hyphens.
    #[cfg(feature = "azure")]
    Identifiers,
}

/// What one object gets.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    attributes: Attributes,
    names: MetadataNames,
}

impl Kept {
    #[cfg(feature = "_cloud")]
    pub(crate) fn new(names: MetadataNames) -> Self {
        Self {
            attributes: Attributes::new(),
            names,
        }
    }

    #[cfg(feature = "_cloud")]
    pub(crate) fn set(&mut self, attribute: object_store::Attribute, value: String) {
        self.attributes.insert(attribute, value.into());
    }

    /// Adds metadata, under names and as values that headers can carry.
    pub(crate) fn add(&mut self, metadata: &Metadata) {
        for (name, value) in metadata {
            let name = match self.names {
                #[cfg(any(feature = "s3", feature = "gcs"))]
                MetadataNames::Headers => name.clone(),
                #[cfg(feature = "azure")]
                MetadataNames::Identifiers => name.replace('-', "_"),
            };
            let value = utf8_percent_encode(value, HEADER).to_string();
            let attribute = object_store::Attribute::Metadata(name.into());
            self.attributes.insert(attribute, value.into());
        }
    }

    pub(crate) fn attributes(&self) -> Attributes {
        self.attributes.clone()
    }
}

#[cfg(all(test, feature = "s3", feature = "azure"))]
mod tests {
    use super::*;

    #[test]
    fn values_are_visible_ascii_and_names_are_what_the_store_allows() {
        let metadata = Metadata::from([("tulip-job".to_owned(), "Mühle 7\n100%".to_owned())]);
        for (names, name) in [
            (MetadataNames::Headers, "tulip-job"),
            (MetadataNames::Identifiers, "tulip_job"),
        ] {
            let mut kept = Kept::new(names);
            kept.add(&metadata);
            let attributes = kept.attributes();
            let value = attributes.get(&object_store::Attribute::Metadata(name.into()));
            assert_eq!(value.unwrap().as_ref(), "M%C3%BChle 7%0A100%25");
        }
    }
}
