//! Signed URLs as in S3: Signature Version 4 in the query.

use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use crate::clock::{compact, parse_compact};
use crate::random::Random;
use crate::tokens::same;

/// The characters to encode in a canonical query; a path keeps its slashes.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const REGION: &str = "us-east-1";
/// The longest lifetime in seconds: S3 signs for a week at most.
const LONGEST: u64 = 604_800;

/// A request with a signed URL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// Percent-encoded.
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    pub(crate) query: &'a str,
}

/// Why a URL is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PresignError {
    /// It is not signed at all.
    Missing,
    /// A parameter is missing or unreadable.
    Parameters(&'static str),
    /// The signature is for something else.
    Mismatch,
    /// It has expired.
    Expired { at: SystemTime },
}

/// Signs and verifies URLs with its own secret.
#[derive(Clone)]
pub(crate) struct Presigner {
    access_key: String,
    secret: String,
}

impl Presigner {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::of(seed, "presign", 0);
        Self {
            access_key: format!("ASIA{}", random.name(16).to_uppercase()),
            secret: random.name(40),
        }
    }

    /// Returns the query that allows a GET of `path` on `host` for `lifetime` from `now` on. It
    /// includes `session`, also signed.
    pub(crate) fn sign(
        &self,
        path: &str,
        host: &str,
        session: &str,
        now: SystemTime,
        lifetime: Duration,
    ) -> String {
        let date = compact(now);
        let credential = format!("{}/{}", self.access_key, scope(&date));
        let expires = lifetime.as_secs().min(LONGEST).to_string();
        let parameters = [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &date),
            ("X-Amz-Expires", &expires),
            ("X-Amz-Security-Token", session),
            ("X-Amz-SignedHeaders", "host"),
        ];
        let query = canonical_query(parameters.iter().map(|(k, v)| (*k, *v)));
        let signature = self.signature("GET", path, host, &query, &date);
        format!("{query}&X-Amz-Signature={signature}")
    }

    /// Checks a request and returns the session that was signed.
    pub(crate) fn verify(
        &self,
        request: Signed<'_>,
        now: SystemTime,
    ) -> Result<String, PresignError> {
        let parameters: Vec<_> = url::form_urlencoded::parse(request.query.as_bytes()).collect();
        let get = |name: &'static str| {
            let found = parameters.iter().find(|(key, _)| key == name);
            found
                .map(|(_, value)| &**value)
                .ok_or(PresignError::Parameters(name))
        };
        if !parameters.iter().any(|(key, _)| key.starts_with("X-Amz-")) {
            return Err(PresignError::Missing);
        }
        if get("X-Amz-Algorithm")? != ALGORITHM {
            return Err(PresignError::Parameters("X-Amz-Algorithm"));
        }
        let date = get("X-Amz-Date")?;
        let signed_at = parse_compact(date).ok_or(PresignError::Parameters("X-Amz-Date"))?;
        let expires = get("X-Amz-Expires")?
            .parse()
            .ok()
            .filter(|seconds| *seconds <= LONGEST)
            .ok_or(PresignError::Parameters("X-Amz-Expires"))?;
        let (credential, headers) = (get("X-Amz-Credential")?, get("X-Amz-SignedHeaders")?);
        let session = get("X-Amz-Security-Token")?;
        let query = canonical_query(
            parameters
                .iter()
                .filter(|(key, _)| key != "X-Amz-Signature")
                .map(|(key, value)| (&**key, &**value)),
        );
        let expected = self.signature(request.method, request.path, request.host, &query, date);
        if !same(expected.as_bytes(), get("X-Amz-Signature")?.as_bytes())
            || credential != format!("{}/{}", self.access_key, scope(date))
            || headers != "host"
        {
            return Err(PresignError::Mismatch);
        }
        let at = signed_at + Duration::from_secs(expires);
        if now >= at {
            return Err(PresignError::Expired { at });
        }
        Ok(session.to_owned())
    }

    fn signature(&self, method: &str, path: &str, host: &str, query: &str, date: &str) -> String {
        let path: Vec<u8> = percent_decode_str(path).collect();
        let path = percent_encoding::percent_encode(&path, PATH);
        let host = host.to_ascii_lowercase();
        let request = format!("{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let scope = scope(date);
        let digest = hex(&Sha256::digest(request.as_bytes()));
        let text = format!("{ALGORITHM}\n{date}\n{scope}\n{digest}");
        let key = scope
            .split('/')
            .fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| {
                authenticate(&key, part.as_bytes())
            });
        hex(&authenticate(&key, text.as_bytes()))
    }
}

fn scope(date: &str) -> String {
    let day = date.get(..8).unwrap_or(date);
    format!("{day}/{REGION}/s3/aws4_request")
}

fn canonical_query<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: Vec<_> = parameters
        .map(|(key, value)| {
            (
                utf8_percent_encode(key, QUERY).to_string(),
                utf8_percent_encode(value, QUERY).to_string(),
            )
        })
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join("&")
}

fn authenticate(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATH_OF_JOB: &str = "/factory/tableExports/a.csv";

    fn signer() -> Presigner {
        Presigner {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        }
    }

    fn get<'a>(path: &'a str, query: &'a str) -> Signed<'a> {
        Signed {
            method: "GET",
            path,
            host: "h:1",
            query,
        }
    }

    /// The time of the published example.
    fn then() -> SystemTime {
        parse_compact("20130524T000000Z").unwrap()
    }

    fn signed(lifetime: u64) -> String {
        let lifetime = Duration::from_secs(lifetime);
        signer().sign(PATH_OF_JOB, "h:1", "session0", then(), lifetime)
    }

    #[test]
    fn the_published_example_has_its_published_signature() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE\
            %2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
            &X-Amz-Expires=86400&X-Amz-SignedHeaders=host";
        let host = "examplebucket.s3.amazonaws.com";
        assert_eq!(
            signer().signature("GET", "/test.txt", host, query, "20130524T000000Z"),
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn a_signed_url_works_until_its_time_is_over() {
        let query = signed(60);
        let at = |seconds| {
            let now = then() + Duration::from_secs(seconds);
            signer().verify(get(PATH_OF_JOB, &query), now)
        };
        assert_eq!(at(0), Ok("session0".to_owned()));
        assert_eq!(at(59), Ok("session0".to_owned()));
        let end = then() + Duration::from_secs(60);
        assert_eq!(at(60), Err(PresignError::Expired { at: end }));
        let none = signed(0);
        let result = signer().verify(get(PATH_OF_JOB, &none), then());
        assert!(matches!(result, Err(PresignError::Expired { .. })));
    }

    #[test]
    fn method_path_and_host_are_signed() {
        let query = signed(60);
        let good = get(PATH_OF_JOB, &query);
        for bad in [
            Signed {
                method: "HEAD",
                ..good
            },
            Signed {
                path: "/factory/tableExports/b.csv",
                ..good
            },
            Signed {
                host: "h:2",
                ..good
            },
        ] {
            assert_eq!(signer().verify(bad, then()), Err(PresignError::Mismatch));
        }
        assert!(
            Presigner::new(1).verify(good, then()) == Err(PresignError::Mismatch),
            "another secret"
        );
    }

    #[test]
    fn an_unsigned_request_is_told_from_a_broken_one() {
        let verify = |query| {
            signer()
                .verify(get(PATH_OF_JOB, query), then())
                .unwrap_err()
        };
        assert_eq!(verify(""), PresignError::Missing);
        assert_eq!(verify("a=b"), PresignError::Missing);
        let broken = PresignError::Parameters("X-Amz-Algorithm");
        assert_eq!(verify("X-Amz-Signature=00"), broken);
        let week = signed(60).replace("Expires=60", "Expires=604801");
        assert_eq!(verify(&week), PresignError::Parameters("X-Amz-Expires"));
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(at in 0..1000_usize, with in "[A-Za-z0-9%&=+/]") {
            let query = signed(60);
            let at = at % query.len();
            let mut changed = query.clone();
            changed.replace_range(at..=at, &with);
            // Lower-case percent-encoding is equivalent.
            prop_assume!(!changed.eq_ignore_ascii_case(&query));
            prop_assert!(signer().verify(get(PATH_OF_JOB, &changed), then()).is_err());
        }

        #[test]
        fn any_query_is_checked_without_panic(query in any::<String>(), path in any::<String>()) {
            prop_assert!(signer().verify(get(&path, &query), then()).is_err());
        }
    }
}
