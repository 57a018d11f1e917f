//! `Range` headers, read as an object store does.

/// Which bytes to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of them: there is no range, or it is ignored.
    Whole,
    /// `start..end`, not empty.
    Part { start: u64, end: u64 },
    /// None: the range is outside the object.
    Unsatisfiable,
}

/// Reads a `Range` header for `length` bytes. Unreadable headers and multiple ranges are ignored,
/// as S3 does.
pub(crate) fn select(header: Option<&str>, length: u64) -> Selection {
    let Some((first, last)) = header
        .and_then(|header| header.trim().strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Selection::Whole;
    };
    let part = |start: u64, end: u64| {
        if start < end {
            Selection::Part { start, end }
        } else {
            Selection::Unsatisfiable
        }
    };
    match (number(first), number(last)) {
        (Bound::Given(first), Bound::Open) => part(first, length),
        (Bound::Given(first), Bound::Given(last)) if first <= last => {
            part(first, last.saturating_add(1).min(length))
        }
        (Bound::Open, Bound::Given(suffix)) => part(length.saturating_sub(suffix), length),
        _ => Selection::Whole,
    }
}

enum Bound {
    Open,
    Given(u64),
    Unreadable,
}

fn number(text: &str) -> Bound {
    if text.is_empty() {
        Bound::Open
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for the type lies past any end.
        Bound::Given(text.parse().unwrap_or(u64::MAX))
    } else {
        Bound::Unreadable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read() {
        let part = |start, end| Selection::Part { start, end };
        for (header, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-5", part(2, 6)),
            ("bytes=2-", part(2, 10)),
            ("bytes=2-99", part(2, 10)),
            ("bytes=-3", part(7, 10)),
            ("bytes=-30", part(0, 10)),
            ("bytes=9-99999999999999999999999", part(9, 10)),
            ("bytes=10-", Selection::Unsatisfiable),
            ("bytes=10-12", Selection::Unsatisfiable),
            ("bytes=-0", Selection::Unsatisfiable),
            ("bytes=5-2", Selection::Whole),
            ("bytes=0-1,4-5", Selection::Whole),
            ("bytes=-", Selection::Whole),
            ("bytes=a-b", Selection::Whole),
            ("bytes=+1-2", Selection::Whole),
            ("lines=1-2", Selection::Whole),
        ] {
            assert_eq!(select(Some(header), 10), expected, "{header}");
        }
        assert_eq!(select(None, 10), Selection::Whole);
        assert_eq!(select(Some("bytes=0-"), 0), Selection::Unsatisfiable);
        assert_eq!(select(Some("bytes=-5"), 0), Selection::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_selected_part_lies_inside(text in "bytes=[0-9]{0,3}-[0-9]{0,3}", length in 0..500_u64) {
            if let Selection::Part { start, end } = select(Some(&text), length) {
                prop_assert!(start < end && end <= length);
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in any::<String>(), length in any::<u64>()) {
            let _ = select(Some(&text), length);
        }
    }
}
