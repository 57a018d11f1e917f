//! Credentials as people paste and mount them: auth headers, keys with secrets, and JSON with both.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
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
    check_json(text);
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

/// Checks that the message of a refusal quotes no text or number of the JSON.
fn check_json(json: &str) {
    let message = match serde_json::from_str::<Credentials>(json) {
        Ok(credentials) => return check(&credentials),
        Err(error) => error.to_string(),
    };
    assert_no_control(&message);
    if let Ok(value) = serde_json::from_str::<Value>(json) {
        assert_unquoted(&value, &message);
    }
}

fn assert_unquoted(value: &Value, message: &str) {
    match value {
        Value::String(text) => assert_absent(text, message),
        Value::Number(number) => assert_absent(&number.to_string(), message),
        Value::Array(values) => values
            .iter()
            .for_each(|value| assert_unquoted(value, message)),
        Value::Object(fields) => fields
            .values()
            .for_each(|value| assert_unquoted(value, message)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Skips a text that is short or reads like a message: one can contain it by chance.
fn assert_absent(text: &str, message: &str) {
    if text.len() >= 8 && text.contains(|c: char| c.is_ascii_digit()) && !text.contains(' ') {
        assert!(!message.contains(text), "{text:?} is quoted: {message}");
    }
}
