//! Identifiers, object keys, times, checksums and other short texts that are parsed.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use tulip_core::{
    Checksum, ChecksumAlgorithm, InstanceUrl, JobId, MachineId, ObjectKey, Scope, Timestamp,
    WorkspaceId, parse_byte_size,
};
use tulip_fuzz::assert_no_control;

fuzz_target!(|text: &str| {
    check_id(text, JobId::new(text), JobId::as_str);
    check_id(text, MachineId::new(text), MachineId::as_str);
    check_id(text, WorkspaceId::new(text), WorkspaceId::as_str);
    check_endpoint(text);
    check_key(text);
    check_checksum(text);
    check_time(text);
    check_size(text);
    round_trip::<Scope>(text);
    round_trip::<ChecksumAlgorithm>(text);
});

/// Checks that a displayed value parses to the same value, from text and from JSON, and that an
/// error contains no control characters.
fn round_trip<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    match text.parse::<T>() {
        Ok(parsed) => {
            let shown = parsed.to_string();
            assert_no_control(&shown);
            assert_eq!(shown.parse::<T>().ok().as_ref(), Some(&parsed));
            let json = serde_json::to_value(&parsed).expect("names are written");
            assert_eq!(json, *shown);
            let read: T = serde_json::from_value(json).expect("what is written is read");
            assert_eq!(read, parsed);
            Some(parsed)
        }
        Err(error) => {
            assert_no_control(&error.to_string());
            None
        }
    }
}

fn check_id<T, E: Display>(text: &str, taken: Result<T, E>, as_str: fn(&T) -> &str)
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let typed = round_trip::<T>(text);
    if let Some(id) = &typed {
        let refused = |c: char| c.is_whitespace() || c == '\\';
        assert!(!as_str(id).contains(refused), "{id}");
    }
    match taken {
        Ok(id) => {
            assert_eq!(as_str(&id), text);
            assert_no_control(text);
            assert!(!text.contains('/') && !matches!(text, "" | "." | ".."));
            assert!(text.len() <= 512);
            assert_eq!(serde_json::from_value::<T>(text.into()).ok(), Some(id));
        }
        Err(error) => {
            assert!(typed.is_none());
            assert_no_control(&error.to_string());
        }
    }
}

/// Checks that no identifier changes the structure of the path that it is put into.
fn check_endpoint(text: &str) {
    let (Ok(job), Ok(workspace)) = (JobId::new(text), WorkspaceId::new(text)) else {
        return;
    };
    let instance: InstanceUrl = "https://acme.tulip.co".parse().expect("it is an address");
    let url = instance.endpoint(Some(&workspace), ["machines", job.as_str()]);
    let segments: Vec<_> = url.path_segments().expect("https has a path").collect();
    assert_eq!(segments.len(), 6, "{url}");
    assert_eq!(segments[..3], ["api", "v3", "w"]);
    assert_eq!(segments[3], segments[5]);
    assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
    assert!(instance.is_origin_of(&url));
    assert_eq!(url::Url::parse(url.as_str()).as_ref(), Ok(&url));
}

fn check_key(text: &str) {
    let Some(key) = round_trip::<ObjectKey>(text) else {
        return;
    };
    let normal = key.as_str();
    assert!(normal.len() <= 914 && !normal.contains('\\'));
    assert!(
        key.segments()
            .all(|segment| !matches!(segment, "" | "." | "..") && segment.len() <= 214)
    );
    assert_eq!(key.segments().collect::<Vec<_>>().join("/"), normal);
    assert_eq!(key.receipt().of_receipt().as_ref(), Some(&key));
    if let Some(object) = key.of_receipt() {
        assert_eq!(object.receipt(), key);
    }
}

fn check_checksum(text: &str) {
    for (algorithm, digits) in [
        (ChecksumAlgorithm::Crc64Nvme, 16),
        (ChecksumAlgorithm::Sha256, 64),
    ] {
        match Checksum::from_hex(algorithm, text.to_owned()) {
            Ok(checksum) => {
                assert_eq!((checksum.value(), text.len()), (text, digits));
                assert!(text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
                assert_eq!(checksum.to_string(), format!("{algorithm}:{text}"));
                let json = serde_json::to_value(&checksum).expect("checksums are written");
                assert_eq!(
                    serde_json::from_value::<Checksum>(json).ok(),
                    Some(checksum)
                );
            }
            Err(error) => assert_no_control(&error.to_string()),
        }
        let digest = text.as_bytes();
        assert_eq!(
            Checksum::from_bytes(algorithm, digest).is_ok(),
            2 * digest.len() == digits
        );
    }
}

fn check_time(text: &str) {
    let Some(time) = round_trip::<Timestamp>(text) else {
        return;
    };
    let shown = time.to_string();
    assert_eq!(shown.len(), "2026-11-23T12:00:00.500Z".len(), "{shown}");
    assert_eq!(time.date(), shown[..10]);
    assert_eq!(time.compact_time(), shown[11..19].replace(':', ""));
    assert_eq!(Timestamp::from(time.as_system_time()), time);
}

fn check_size(text: &str) {
    let Some(bytes) = parse_byte_size(text) else {
        return;
    };
    // It begins with a digit: neither a sign nor a bare fraction was accepted.
    let text = text.trim();
    assert!(text.starts_with(|c: char| c.is_ascii_digit()), "{text:?}");
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().expect("it begins with a number");
    let unit = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000_u64,
        "mb" => 1000_u64.pow(2),
        "gb" => 1000_u64.pow(3),
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        unit => panic!("{unit:?} is no unit"),
    };
    assert_eq!(number.checked_mul(unit), Some(bytes));
    assert_eq!(parse_byte_size(&bytes.to_string()), Some(bytes));
}
