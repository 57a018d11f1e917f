//! Metadata that stores keep with an object.

use object_store::{Attribute, Attributes};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tulip_core::sink::Metadata;

/// Headers carry printable ASCII. Everything else, and `%` itself, is percent-encoded.
const HEADER: &AsciiSet = &CONTROLS.add(b'%');

/// The name of a writer's token.
const TOKEN: &str = "tulip-write";

/// The attributes of one object.
#[derive(Debug, Clone)]
pub(super) struct ObjectMetadata {
    attributes: Attributes,
    /// Whether the store allows hyphens in metadata names; Azure requires identifiers.
    hyphens: bool,
}

/// Identifies one writer's object. It is stored with the object, so that a writer that has lost the
/// store's answer can see whether the object is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WriteToken(String);

impl WriteToken {
    pub(super) fn new() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)))
    }
}

impl ObjectMetadata {
    pub(super) fn new(hyphens: bool) -> Self {
        Self {
            attributes: Attributes::new(),
            hyphens,
        }
    }

    pub(super) fn set(&mut self, attribute: Attribute, value: String) {
        self.attributes.insert(attribute, value.into());
    }

    /// Adds metadata, with names and values that headers can carry.
    pub(super) fn add(&mut self, metadata: &Metadata) {
        for (name, value) in metadata {
            let value = utf8_percent_encode(value, HEADER).to_string();
            self.set(self.named(name), value);
        }
    }

    pub(super) fn set_token(&mut self, token: &WriteToken) {
        self.set(self.named(TOKEN), token.0.clone());
    }

    /// Returns whether a store's `attributes` are those of the writer with this token, or `None` if
    /// the store keeps no metadata at all.
    pub(super) fn is_of(&self, token: &WriteToken, attributes: &Attributes) -> Option<bool> {
        if let Some(found) = attributes.get(&self.named(TOKEN)) {
            return Some(found.as_ref() == token.0);
        }
        let is_metadata = |attribute: &Attribute| matches!(attribute, Attribute::Metadata(_));
        let keeps = attributes
            .iter()
            .any(|(attribute, _)| is_metadata(attribute));
        keeps.then_some(false)
    }

    fn named(&self, name: &str) -> Attribute {
        let name = match self.hyphens {
            true => name.to_owned(),
            false => name.replace('-', "_"),
        };
        Attribute::Metadata(name.into())
    }

    pub(super) fn attributes(&self) -> Attributes {
        self.attributes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_visible_ascii_and_names_are_what_the_store_allows() {
        let metadata = Metadata::from([("tulip-job".to_owned(), "Mühle 7\n100%".to_owned())]);
        for (hyphens, name) in [(true, "tulip-job"), (false, "tulip_job")] {
            let mut kept = ObjectMetadata::new(hyphens);
            kept.add(&metadata);
            let attributes = kept.attributes();
            let value = attributes.get(&Attribute::Metadata(name.into()));
            assert_eq!(value.unwrap().as_ref(), "M%C3%BChle 7%0A100%25");
        }
    }

    #[test]
    fn a_token_tells_ones_own_object_from_others() {
        for hyphens in [true, false] {
            let (ours, theirs) = (WriteToken::new(), WriteToken::new());
            let mut metadata = ObjectMetadata::new(hyphens);
            assert_eq!(metadata.is_of(&ours, &metadata.attributes()), None);
            metadata.add(&Metadata::from([("tulip-job".to_owned(), "j".to_owned())]));
            assert_eq!(metadata.is_of(&ours, &metadata.attributes()), Some(false));
            metadata.set_token(&ours);
            assert_eq!(metadata.is_of(&ours, &metadata.attributes()), Some(true));
            assert_eq!(metadata.is_of(&theirs, &metadata.attributes()), Some(false));
        }
    }
}
