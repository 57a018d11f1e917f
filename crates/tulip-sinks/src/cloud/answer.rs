//! What a store's refusal means, in words.

use std::error::Error as StdError;

use object_store::Error as StoreError;
use tulip_core::redact_urls;
use tulip_core::sink::SinkErrorKind as Kind;
use tulip_http::{ErrorKind, TransportError};

/// A refusal, explained.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) kind: Kind,
    pub(crate) reason: String,
    pub(crate) advice: String,
    /// What the store said, without any URL.
    pub(crate) cause: String,
}

/// Codes of S3, Google's XML API and Azure, and what they mean.
const CODES: &[(&[&str], Kind, &str, &str)] = &[
    (
        &["NoSuchBucket", "ContainerNotFound"],
        Kind::NotFound,
        "no such bucket",
        "create it first, or check its name and the endpoint",
    ),
    (
        &["InvalidBucketName", "InvalidResourceName", "InvalidUri"],
        Kind::InvalidTarget,
        "the bucket's name is not one that the store can have",
        "check the target that was given",
    ),
    (
        &[
            "AccessDenied",
            "AllAccessDisabled",
            "AccountProblem",
            "AuthorizationFailure",
            "AuthorizationPermissionMismatch",
            "AuthorizationProtocolMismatch",
            "InsufficientAccountPermissions",
            "PublicAccessNotPermitted",
            "UserProjectAccountProblem",
        ],
        Kind::PermissionDenied,
        "access denied",
        "grant these credentials the right to write there",
    ),
    (
        &[
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidSecurity",
            "NotSignedUp",
            "InvalidAuthenticationInfo",
            "NoAuthenticationInformation",
        ],
        Kind::PermissionDenied,
        "the store does not know these credentials",
        "check the access key, or the token",
    ),
    (
        &["SignatureDoesNotMatch", "AuthenticationFailed"],
        Kind::PermissionDenied,
        "the store does not accept the signature",
        "check the secret key, and that this machine's clock is right",
    ),
    (
        &["RequestTimeTooSkewed", "RequestExpired", "ExpiredRequest"],
        Kind::PermissionDenied,
        "this machine's clock and the store's are too far apart",
        "set the clock, for example with NTP",
    ),
    (
        &[
            "ExpiredToken",
            "ExpiredTokenException",
            "TokenRefreshRequired",
        ],
        Kind::PermissionDenied,
        "the credentials have expired",
        "renew them",
    ),
    (
        &[
            "PermanentRedirect",
            "TemporaryRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ],
        Kind::InvalidTarget,
        "the bucket is in another region",
        "name its region with the option region, or AWS_REGION",
    ),
    (
        &[
            "InvalidBlockList",
            "NoSuchUpload",
            "ConditionalRequestConflict",
        ],
        Kind::Unavailable,
        "somebody else has stored or removed it at the same time",
        "see what is there, then try again",
    ),
    (
        &[
            "InvalidPart",
            "InvalidPartOrder",
            "IncompleteBody",
            "BadDigest",
        ],
        Kind::Unavailable,
        "a part did not arrive as it was sent",
        "try again",
    ),
    (
        &[
            "SlowDown",
            "ServiceUnavailable",
            "InternalError",
            "RequestTimeout",
            "ServerBusy",
            "OperationTimedOut",
            "OperationAborted",
        ],
        Kind::Unavailable,
        "the store is overloaded or out of order",
        "try again later",
    ),
    (
        &[
            "EntityTooLarge",
            "QuotaExceeded",
            "InsufficientStorage",
            "XMinioStorageFull",
            "AccountLimitExceeded",
        ],
        Kind::StorageFull,
        "no room is left",
        "free some room or raise the quota, then try again",
    ),
    (
        &[
            "InvalidStorageClass",
            "InvalidEncryptionAlgorithmError",
            "KMS.NotFoundException",
            "KMS.DisabledException",
            "InvalidMetadata",
            "MetadataTooLarge",
        ],
        Kind::InvalidTarget,
        "the store does not accept an option",
        "check the options that were given",
    ),
];

/// Where clouds give credentials to the machines in them.
const METADATA_SERVICES: [&str; 4] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "metadata.google.internal",
];

/// The meaning of a failure that a store or the way to it caused; `None` where the error's own
/// class says as much.
pub(crate) fn explain(error: &StoreError) -> Option<Answer> {
    let text = error.to_string();
    if METADATA_SERVICES.iter().any(|host| text.contains(host)) {
        return Some(Answer {
            kind: Kind::PermissionDenied,
            reason: "no credentials were found".to_owned(),
            advice: "set them in the environment, as options or in a profile, or run where the \
                cloud gives them"
                .to_owned(),
            cause: "nothing is set, and the cloud's metadata service gives none".to_owned(),
        });
    }
    if let Some(transport) = find::<TransportError>(error) {
        return Some(unreached(transport));
    }
    let code = match tag(&text, "Code") {
        Some(code) => code,
        // The store library's word for a redirection that leads nowhere.
        None if text.contains("incorrectly configured region") => "PermanentRedirect",
        None => return None,
    };
    let (_, kind, reason, advice) = CODES.iter().find(|(codes, ..)| codes.contains(&code))?;
    let advice = match tag(&text, "Region") {
        Some(region) if *kind == Kind::InvalidTarget => {
            format!("name its region, {region}, with the option region, or AWS_REGION")
        }
        _ => (*advice).to_owned(),
    };
    Some(Answer {
        kind: *kind,
        reason: (*reason).to_owned(),
        advice,
        cause: said(&text).unwrap_or_else(|| code.to_owned()),
    })
}

/// What the store itself said, on one line: its code and its message.
pub(crate) fn said(text: &str) -> Option<String> {
    let code = tag(text, "Code")?;
    let message = unescaped(tag(text, "Message").unwrap_or_default());
    Some(match message.lines().next().unwrap_or_default() {
        "" => code.to_owned(),
        line => redact_urls(&format!("{code}: {line}")),
    })
}

/// No answer at all.
fn unreached(transport: &TransportError) -> Answer {
    let (kind, reason, advice) = match transport.kind() {
        ErrorKind::Tls => (
            Kind::InvalidTarget,
            "the store's certificate is not trusted",
            "name its authority with --ca-file or TULIP_CA_FILE",
        ),
        ErrorKind::Connect => (
            Kind::Unavailable,
            "the store cannot be reached",
            "check the endpoint, the network and the proxy, then try again",
        ),
        _ => (
            Kind::Unavailable,
            "the store does not answer",
            "try again later",
        ),
    };
    Answer {
        kind,
        reason: reason.to_owned(),
        advice: advice.to_owned(),
        cause: transport.to_string(),
    }
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

/// The text of the first element `name` in an XML answer.
pub(crate) fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(value.trim())
}

/// XML's own entities, as what they stand for.
fn unescaped(text: &str) -> String {
    let entities = [
        ("&apos;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    let text = text.to_owned();
    entities
        .iter()
        .fold(text, |text, (entity, sign)| text.replace(entity, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> StoreError {
        StoreError::Generic {
            store: "S3",
            source: format!("Server returned non-2xx status code: 403 Forbidden: {body}").into(),
        }
    }

    #[test]
    fn codes_become_words_and_signed_texts_stay_out() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>it differs</Message>\
            <StringToSign>AWS4 s3cret</StringToSign></Error>";
        let answer = explain(&refusal(body)).unwrap();
        assert_eq!(answer.kind, Kind::PermissionDenied);
        assert!(answer.reason.contains("signature"));
        assert_eq!(answer.cause, "SignatureDoesNotMatch: it differs");
    }

    #[test]
    fn a_wrong_region_is_told_with_the_right_one() {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>&apos;x&apos;</Message>\
            <Region>eu-north-1</Region></Error>";
        let answer = explain(&refusal(body)).unwrap();
        assert!(answer.advice.contains("eu-north-1"), "{}", answer.advice);
        assert_eq!(answer.cause, "AuthorizationHeaderMalformed: 'x'");
        assert!(explain(&refusal("<Code>Novel</Code>")).is_none());
        let novel = said("403: <Code>Novel</Code>\n<Message>it &lt;differs\nRequestId:1</Message>");
        assert_eq!(novel.as_deref(), Some("Novel: it <differs"));
        assert!(explain(&refusal("no XML")).is_none());
    }

    #[test]
    fn no_code_stands_twice() {
        let all: Vec<_> = CODES.iter().flat_map(|(codes, ..)| *codes).collect();
        let mut once = all.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all.len());
    }
}
