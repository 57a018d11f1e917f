//! Errors that pass when the request is repeated, by their codes and titles.

/// Whether a code of a store or gateway stands for a temporary failure, such as 429 or 503.
pub(super) fn is_transient_code(code: &str) -> bool {
    const CODES: [&str; 17] = [
        "slowdown",
        "internal",
        "internalerror",
        "internalservererror",
        "backenderror",
        "serviceunavailable",
        "unavailable",
        "serverbusy",
        "operationtimedout",
        "requesttimeout",
        "timeout",
        "gatewaytimeout",
        "badgateway",
        "toomanyrequests",
        "throttling",
        "throttlingexception",
        "requestlimitexceeded",
    ];
    let code = code.to_ascii_lowercase();
    match code.parse::<u16>() {
        Ok(status) => is_transient_status(status),
        Err(_) => CODES.contains(&code.as_str()),
    }
}

/// Whether a page's title reports one: "503 Service Temporarily Unavailable", "Error 502 (Bad
/// Gateway)".
pub(super) fn is_transient_title(title: &str) -> bool {
    let mut words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let is_status = |word: &str| word.len() == 3 && word.parse().is_ok_and(is_transient_status);
    let lower = title.to_ascii_lowercase();
    let says = [
        "service unavailable",
        "temporarily unavailable",
        "bad gateway",
    ];
    words.any(is_status) || says.iter().any(|text| lower.contains(text))
}

fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502..=504 | 520..=529)
}
