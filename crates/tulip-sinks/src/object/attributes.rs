//! What stores keep beside an object.

use object_store::Attributes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tulip_core::sink::Metadata;

/// Headers carry visible ASCII; the rest, and the sign that tells of it, is percent-encoded.
const HEADER: &AsciiSet = &CONTROLS.add(b'%');

/// What one object gets.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    attributes: Attributes,
    /// Whether the store allows hyphens in metadata names; Azure wants identifiers.
    hyphens: bool,
}

impl Kept {
    #[cfg(any())]
    pub(crate) fn new(hyphens: bool) -> Self {
        Self {
            attributes: Attributes::new(),
            hyphens,
        }
    }

    #[cfg(any())]
    pub(crate) fn set(&mut self, attribute: object_store::Attribute, value: String) {
        self.attributes.insert(attribute, value.into());
    }

    /// Adds metadata, under names and as values that headers can carry.
    pub(crate) fn add(&mut self, metadata: &Metadata) {
        for (name, value) in metadata {
            let name = match self.hyphens {
                true => name.clone(),
                false => name.replace('-', "_"),
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

#[cfg(any())]
mod tests {
    use super::*;

    #[test]
    fn values_are_visible_ascii_and_names_are_what_the_store_allows() {
        let metadata = Metadata::from([("tulip-job".to_owned(), "Mühle 7\n100%".to_owned())]);
        for (hyphens, name) in [(true, "tulip-job"), (false, "tulip_job")] {
            let mut kept = Kept::new(hyphens);
            kept.add(&metadata);
            let attributes = kept.attributes();
            let value = attributes.get(&object_store::Attribute::Metadata(name.into()));
            assert_eq!(value.unwrap().as_ref(), "M%C3%BChle 7%0A100%25");
        }
    }
}
