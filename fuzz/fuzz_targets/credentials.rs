//! Credentials as people paste and mount them: auth headers, and keys with secrets.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tulip_core::Credentials;
use tulip_fuzz::{SECRET, assert_hidden, assert_no_control, holds_secret};

fuzz_target!(|text: &str| {
    match Credentials::from_header(text) {
        Ok(credentials) => check(&credentials),
        Err(error) => assert_no_control(&error.to_string()),
    }
    let (key, secret) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(credentials) = Credentials::new(key, secret) {
        assert_eq!(credentials.key(), bare(key));
        assert_eq!(credentials.expose_secret(), bare(secret));
        check(&credentials);
    }
    check_variables(key, secret);
    // Refused or not, the secret is not shown.
    if !holds_secret(text) {
        let longer = format!("{text}{SECRET}");
        for (key, secret) in [(text, SECRET), (text, &longer), ("key", &longer)] {
            match Credentials::new(key, secret) {
                Ok(credentials) => assert_hidden(&format!("{credentials:?}")),
                Err(error) => assert_hidden(&error.to_string()),
            }
        }
        if let Err(error) = Credentials::from_header(&longer) {
            assert_hidden(&error.to_string());
        }
    }
});

fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

fn check(credentials: &Credentials) {
    // Compare the whole text: it has nothing of the secret, however short that is.
    assert_eq!(
        format!("{credentials:?}"),
        format!(
            "Credentials {{ key: {:?}, secret: [redacted] }}",
            credentials.key()
        )
    );
    assert!(!credentials.key().is_empty() && !credentials.key().contains(':'));
    assert_no_control(credentials.key());
    assert_no_control(credentials.expose_secret());
    let header = credentials.basic_header();
    let bare = header.strip_prefix("Basic ").expect("the scheme is Basic");
    for header in [&header, bare, bare.trim_end_matches('=')] {
        assert_eq!(
            Credentials::from_header(header).as_ref(),
            Ok(credentials),
            "{header:?}"
        );
    }
}

fn check_variables(key: &str, secret: &str) {
    let both = Credentials::from_vars(|name| match name {
        "TULIP_API_KEY" => Some(key.to_owned()),
        "TULIP_API_SECRET" => Some(secret.to_owned()),
        _ => None,
    });
    assert_eq!(both.is_ok(), Credentials::new(key, secret).is_ok());
    let header = Credentials::from_vars(|name| (name == "TULIP_AUTH").then(|| key.to_owned()));
    assert_eq!(header.is_ok(), Credentials::from_header(key).is_ok());
}
