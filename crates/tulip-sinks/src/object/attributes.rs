//! What stores keep beside an object.

use std::borrow::Cow;

use object_store::{Attribute, Attributes};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tulip_core::sink::Metadata;

/// Headers carry visible ASCII; the rest, and the sign that tells of it, is percent-encoded.
const HEADER: &AsciiSet = &CONTROLS.add(b'%');

/// Adds metadata under names that HTTP headers can carry.
pub(crate) fn add_metadata(attributes: &mut Attributes, metadata: &Metadata) {
    for (name, value) in metadata {
        let value = utf8_percent_encode(value, HEADER).to_string();
        attributes.insert(Attribute::Metadata(Cow::Owned(name.clone())), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_visible_ascii() {
        let mut attributes = Attributes::new();
        let metadata = Metadata::from([("tulip-job".to_owned(), "Mühle 7\n100%".to_owned())]);
        add_metadata(&mut attributes, &metadata);
        let kept = attributes.get(&Attribute::Metadata("tulip-job".into()));
        assert_eq!(kept.unwrap().as_ref(), "M%C3%BChle 7%0A100%25");
    }
}
