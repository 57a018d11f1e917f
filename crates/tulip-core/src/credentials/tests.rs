//! Reading, refusing and masking credentials.

use super::*;
use proptest::prelude::*;

fn vars(set: &[(&str, &str)]) -> Result<Credentials, CredentialsError> {
    Credentials::from_vars(|name| {
        set.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| (*v).to_owned())
    })
}

#[test]
fn every_form_that_people_paste_gives_the_same_credentials() {
    let expected = Credentials::new("apikey.2_ab", "s3cret").unwrap();
    for header in [
        "Basic YXBpa2V5LjJfYWI6czNjcmV0",
        "basic  YXBpa2V5LjJfYWI6czNjcmV0\n",
        "YXBpa2V5LjJfYWI6czNjcmV0",
        "Authorization: Basic YXBpa2V5LjJfYWI6czNjcmV0",
    ] {
        assert_eq!(
            Credentials::from_header(header).unwrap(),
            expected,
            "{header}"
        );
    }
    assert_eq!(
        expected.basic_header().as_str(),
        "Basic YXBpa2V5LjJfYWI6czNjcmV0"
    );
}

#[test]
fn unusable_headers_are_refused_without_their_text() {
    for header in [
        "",
        "Bearer s3cret",
        "Basic ",
        "s3cret!",
        "czNjcmV0",
        "Basic /w==",
    ] {
        let error = Credentials::from_header(header).unwrap_err();
        assert!(matches!(error, CredentialsError::Header { .. }), "{header}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert!(!error.to_string().contains("czNjcmV0"), "{error}");
    }
}

#[test]
fn parts_that_basic_cannot_carry_are_refused() {
    for (key, secret) in [
        ("", "s"),
        ("k", " "),
        ("a:b", "s"),
        ("k", "a\nb"),
        ("k\0", "s"),
    ] {
        assert!(Credentials::new(key, secret).is_err(), "{key:?} {secret:?}");
    }
}

#[test]
fn variables_are_taken_whole_or_refused() {
    let header = ("TULIP_AUTH", "Basic YXBpa2V5LjJfYWI6czNjcmV0");
    let key = ("TULIP_API_KEY", "apikey.2_ab");
    let secret = ("TULIP_API_SECRET", "s3cret\n");
    let expected = Credentials::new("apikey.2_ab", "s3cret").unwrap();
    assert_eq!(vars(&[key, secret]).unwrap(), expected);
    assert_eq!(vars(&[header]).unwrap(), expected);
    assert_eq!(vars(&[header, key, secret]).unwrap(), expected);
    assert_eq!(vars(&[header, ("TULIP_API_KEY", "")]).unwrap(), expected);
    assert_eq!(vars(&[]).unwrap_err(), CredentialsError::Missing);
    assert!(matches!(
        vars(&[key]),
        Err(CredentialsError::Half {
            missing: "TULIP_API_SECRET",
            ..
        })
    ));
    assert!(matches!(
        vars(&[secret]),
        Err(CredentialsError::Half {
            missing: "TULIP_API_KEY",
            ..
        })
    ));
    let other = ("TULIP_API_SECRET", "another");
    assert_eq!(
        vars(&[header, key, other]).unwrap_err(),
        CredentialsError::Conflict
    );
}

proptest! {
    #[test]
    fn headers_round_trip_and_debug_hides_the_secret(
        key in "[a-z0-9._]{1,20}",
        tail in "[!-~]{0,40}",
    ) {
        let secret = format!("c0ffee5ec2e7{tail}");
        let credentials = Credentials::new(&key, &secret).unwrap();
        let again = Credentials::from_header(&credentials.basic_header()).unwrap();
        prop_assert_eq!(&again, &credentials);
        let shown = format!("{again:?}");
        prop_assert!(!shown.contains("c0ffee5ec2e7"));
    }

    #[test]
    fn any_header_is_taken_or_refused_without_panic(text in any::<String>()) {
        let _ = Credentials::from_header(&text);
    }
}
