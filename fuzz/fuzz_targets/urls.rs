//! Addresses: of instances and sinks, which people type, and of archives, which servers send.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tulip_core::sink::{SinkUrl, SinkUrlError};
use tulip_core::{InstanceUrl, InstanceUrlError, RawResource, ResourceUrl, ResourceUrlError};
use tulip_fuzz::{MASK, SECRET, assert_hidden, assert_no_control, holds_secret};
use url::Url;

fuzz_target!(|text: &str| {
    check_instance(text);
    check_resource(text);
    check_sink(text);
    check_path(text);
});

/// `text` as a URL, with the secret as its user info and nowhere else.
fn with_user_info(text: &str) -> Option<String> {
    let mut url = Url::parse(text.trim()).ok()?;
    if holds_secret(url.as_str()) {
        return None;
    }
    url.set_username(SECRET).ok()?;
    url.set_password(Some(SECRET)).ok()?;
    Some(url.into())
}

fn check_instance(text: &str) {
    match InstanceUrl::parse(text) {
        Ok(instance) => {
            let shown = instance.to_string();
            assert_no_control(&shown);
            assert_eq!(InstanceUrl::parse(&shown).as_ref(), Ok(&instance));
            assert_eq!(format!("{instance:?}"), format!("InstanceUrl({shown})"));
            let endpoint = instance.endpoint(None, ["machines"]);
            assert_eq!(endpoint.as_str(), format!("{shown}/api/v3/machines"));
            assert!(instance.is_origin_of(&endpoint));
            assert_eq!(instance.is_https(), shown.starts_with("https:"));
            // A query is refused, and not shown.
            let refused = InstanceUrl::parse(&format!("{shown}?{SECRET}"));
            let refused = refused.expect_err("a query is refused").to_string();
            if !holds_secret(&shown) {
                assert_hidden(&refused);
            }
        }
        Err(error) => {
            assert_no_control(&error.to_string());
            if let InstanceUrlError::NoScheme { text } = error {
                assert!(!text.contains(['/', '@', '?', '#']), "{text:?}");
            }
        }
    }
    if let Some(text) = with_user_info(text) {
        let refused = InstanceUrl::parse(&text).expect_err("user info is refused");
        assert_hidden(&refused.to_string());
    }
}

fn check_resource(text: &str) {
    let raw = RawResource::from(text.to_owned());
    match ResourceUrl::parse(text) {
        Ok(url) => {
            // The expected text, built from the parts that may be shown.
            let host = url.expose().host_str().expect("a checked URL has a host");
            let port = url.expose().port().map(|port| format!(":{port}"));
            let scheme = if url.is_https() { "https" } else { "http" };
            let authority = format!("{host}{}", port.unwrap_or_default());
            let masked = format!("{scheme}://{authority}/{MASK}");
            assert_no_control(&masked);
            assert_eq!(url.authority(), authority);
            assert_eq!(url.to_string(), masked);
            assert_eq!(format!("{url:?}"), format!("ResourceUrl({masked})"));
            assert_eq!(format!("{raw:?}"), masked);
            let json = serde_json::to_value(&url).expect("URLs are written");
            assert_eq!(json, *masked);
            assert_eq!(serde_json::to_value(&raw).expect("URLs are written"), json);
            let again = ResourceUrl::parse(&masked).expect("the masked form is a URL");
            assert_eq!(again.to_string(), masked);
            let read: ResourceUrl =
                serde_json::from_value(text.into()).expect("JSON is read as text is");
            assert_eq!(read, url);
        }
        Err(error) => {
            assert_eq!(format!("{raw:?}"), MASK);
            assert_no_control(&error.to_string());
            match error {
                ResourceUrlError::Scheme { scheme } => {
                    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
                    assert!(scheme.bytes().all(plain), "{scheme:?}");
                }
                ResourceUrlError::UserInfo { host } => assert!(!host.contains('@'), "{host:?}"),
                _ => {}
            }
        }
    }
    if let Some(text) = with_user_info(text) {
        let refused = ResourceUrl::parse(&text).expect_err("user info is refused");
        assert_hidden(&refused.to_string());
    }
}

fn check_sink(text: &str) {
    let url = match SinkUrl::parse(text) {
        Ok(url) => url,
        Err(error) => {
            if !matches!(error, SinkUrlError::NotAbsolute { .. }) {
                assert_no_control(&error.to_string());
            }
            return;
        }
    };
    let shown = url.to_string();
    assert_eq!(format!("{url:?}"), format!("SinkUrl({shown})"));
    assert!(shown.starts_with(&format!("{}:", url.scheme())));
    assert_ne!(url.host(), Some(""));
    assert!(url.to_file_path().is_none() || url.scheme() == "file");
    if !holds_secret(&shown) {
        // Options and user info are masked.
        let with_option = url.clone().with_option("secret", SECRET);
        assert_hidden(&format!("{with_option} {with_option:?}"));
        let last = with_option.options().last();
        assert_eq!(last, Some(("secret".into(), SECRET.into())));
        if let Some(text) = with_user_info(text) {
            let secret = SinkUrl::parse(&text).expect("user info is allowed");
            assert_hidden(&format!("{secret} {secret:?}"));
        }
    }
    let option = url.clone().with_option("option", text);
    assert_eq!(
        option.options().last(),
        Some(("option".into(), text.into()))
    );
}

fn check_path(text: &str) {
    let absolute = format!("/{text}");
    let path = Path::new(&absolute);
    let url = SinkUrl::from_path(path).expect("an absolute path is a URL");
    assert_eq!(url.scheme(), "file");
    assert_eq!(url.to_file_path().as_deref(), Some(path));
    assert!(text.starts_with('/') || SinkUrl::from_path(Path::new(text)).is_err());
}
