//! Explanations of stores' error codes and gateways' statuses.

use tulip_core::sink::SinkErrorKind as Kind;

/// A refusal, explained.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explanation {
    pub(super) kind: Kind,
    pub(super) reason: String,
    pub(super) advice: String,
}

impl Explanation {
    pub(super) fn new(kind: Kind, reason: &str, advice: &str) -> Self {
        Self {
            kind,
            reason: reason.to_owned(),
            advice: advice.to_owned(),
        }
    }
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
        "the bucket's name is invalid",
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
        Kind::Transient,
        "it was stored or removed by another writer at the same time",
        "see what is there, then try again",
    ),
    (
        &[
            "InvalidPart",
            "InvalidPartOrder",
            "IncompleteBody",
            "BadDigest",
        ],
        Kind::Transient,
        "a part was corrupted on its way",
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
        "the store is overloaded or failing",
        "try again later",
    ),
    (
        &["EntityTooLarge"],
        Kind::TooLarge,
        "the store takes no object or part of this size",
        "lower the option part_size, or use a store that takes larger objects",
    ),
    (
        &[
            "QuotaExceeded",
            "InsufficientStorage",
            "XMinioStorageFull",
            "AccountLimitExceeded",
        ],
        Kind::StorageFull,
        "no space left",
        "free some space or raise the quota, then try again",
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

/// The hosts that give credentials to a cloud's own machines.
const METADATA_SERVICES: [&str; 4] = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "metadata.google.internal",
];

/// Whether a text names one of [`METADATA_SERVICES`].
pub(super) fn names_metadata_service(text: &str) -> bool {
    METADATA_SERVICES.iter().any(|host| text.contains(host))
}

/// Explains that nothing gives credentials: the metadata service's own error says little.
pub(super) fn no_credentials() -> Explanation {
    Explanation::new(
        Kind::PermissionDenied,
        "no credentials were found",
        "set them in the environment, as options or in a profile, or run where the cloud gives \
         them",
    )
}

/// Explains a store's or a gateway's refusal. `None` if the error's own class says as much.
pub(super) fn explain(text: &str) -> Option<Explanation> {
    let Some(code) = code(text) else {
        return of_status(status(text)?.0);
    };
    let Some((_, kind, reason, advice)) = CODES.iter().find(|(codes, ..)| codes.contains(&code))
    else {
        // An unknown code says less than a known status.
        return of_status(status(text)?.0).filter(|why| why.kind == Kind::Unavailable);
    };
    let is_region = |region: &&str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !region.is_empty() && region.len() <= 40 && region.bytes().all(plain)
    };
    let advice = match tag(text, "Region").filter(is_region) {
        Some(region) if *kind == Kind::InvalidTarget => {
            format!("name its region, {region}, with the option region, or AWS_REGION")
        }
        _ => (*advice).to_owned(),
    };
    Some(Explanation::new(*kind, reason, &advice))
}

/// Returns the code in a store's answer.
fn code(text: &str) -> Option<&str> {
    match tag(text, "Code") {
        // `object_store`'s words for a redirect that leads nowhere.
        None if text.contains("incorrectly configured region") => Some("PermanentRedirect"),
        code => code,
    }
}

/// Explains a status without a store's code: something in front of the store has answered.
fn of_status(status: u16) -> Option<Explanation> {
    let (kind, reason, advice) = match status {
        405 => (
            Kind::InvalidTarget,
            "the server at the endpoint does not accept this kind of request",
            "check that the endpoint is the store's own",
        ),
        407 => (
            Kind::PermissionDenied,
            "the proxy requires authentication",
            "put them into the proxy's URL",
        ),
        413 => (
            Kind::InvalidTarget,
            "a proxy in front of the store refuses requests of this size",
            "raise its limit for bodies, or lower the option part_size",
        ),
        429 | 500..=599 => (
            Kind::Unavailable,
            "the store is overloaded or failing",
            "try again later",
        ),
        _ => return None,
    };
    Some(Explanation::new(kind, reason, advice))
}

/// Returns what the store itself said: its code and the first line of its message. If a store did
/// not answer, the status and the title of the page.
pub(super) fn said(text: &str) -> Option<String> {
    let Some(code) = code(text) else {
        let (_, line, body) = status(text)?;
        return Some(match title(body) {
            Some(title) => format!("HTTP {line}: {title}"),
            None => format!("HTTP {line}"),
        });
    };
    let message = unescaped(tag(text, "Message").unwrap_or_default());
    Some(match message.lines().next().unwrap_or_default() {
        "" => code.to_owned(),
        line => format!("{code}: {line}"),
    })
}

/// Returns the status in `object_store`'s error, as a number and as a line, and the body.
fn status(text: &str) -> Option<(u16, &str, &str)> {
    let (_, rest) = text.split_once("non-2xx status code: ")?;
    let (line, body) = rest.split_once(": ").unwrap_or((rest, ""));
    let number = line.split(' ').next()?.parse().ok()?;
    Some((number, line.trim_end_matches(':'), body))
}

/// The title of an HTML page.
fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let (start, end) = (
        lower.find("<title>")? + "<title>".len(),
        lower.find("</title>")?,
    );
    let title = unescaped(page.get(start..end)?.trim());
    Some(title).filter(|title| !title.is_empty())
}

/// The text of the first element `name` in an XML answer.
pub(super) fn tag<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (value, _) = rest.split_once(&format!("</{name}>"))?;
    Some(value.trim())
}

/// Replaces XML's predefined entities.
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

    fn refusal(body: &str) -> String {
        format!("Server returned non-2xx status code: 403 Forbidden: {body}")
    }

    #[test]
    fn codes_become_words_and_signed_texts_stay_out() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Message>it differs</Message>\
            <StringToSign>AWS4 s3cret</StringToSign></Error>";
        let why = explain(&refusal(body)).unwrap();
        assert_eq!(why.kind, Kind::PermissionDenied);
        assert!(why.reason.contains("signature"));
        let said = said(&refusal(body)).unwrap();
        assert_eq!(said, "SignatureDoesNotMatch: it differs");
    }

    #[test]
    fn a_wrong_region_is_told_with_the_right_one() {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>&apos;x&apos;</Message>\
            <Region>eu-north-1</Region></Error>";
        let why = explain(&refusal(body)).unwrap();
        assert!(why.advice.contains("eu-north-1"), "{}", why.advice);
        let said_of = said(&refusal(body)).unwrap();
        assert_eq!(said_of, "AuthorizationHeaderMalformed: 'x'");
        let odd = body.replace("eu-north-1", "no region at all");
        assert!(!explain(&refusal(&odd)).unwrap().advice.contains("at all"));
        assert!(explain(&refusal("<Code>Novel</Code>")).is_none());
        let novel = said("403: <Code>Novel</Code>\n<Message>it &lt;differs\nRequestId:1</Message>");
        assert_eq!(novel.as_deref(), Some("Novel: it <differs"));
        assert!(explain(&refusal("no XML")).is_none());
        assert_eq!(said("no status, no XML"), None);
    }

    #[test]
    fn an_object_that_is_too_large_is_no_lack_of_space() {
        let kind = |code: &str| {
            explain(&refusal(&format!("<Code>{code}</Code>")))
                .unwrap()
                .kind
        };
        assert_eq!(kind("EntityTooLarge"), Kind::TooLarge);
        assert_eq!(kind("QuotaExceeded"), Kind::StorageFull);
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
