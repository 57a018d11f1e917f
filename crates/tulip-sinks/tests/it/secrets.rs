//! Secrets, which the `Debug` output of sinks must not show.

use crate::support::connect;

/// 32 bytes in base64, as a customer-provided key must be.
const CUSTOMER_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const SECRET: &str = "0ption5ecret0ption5ecret0ption5ecret";

#[tokio::test]
async fn no_debug_of_a_sink_shows_a_secret() {
    let s3 = [
        ("access_key_id", "ID"),
        ("secret_access_key", SECRET),
        ("session_token", SECRET),
        ("sse", "sse-c"),
        ("sse_customer_key", CUSTOMER_KEY),
    ];
    let key = [("account", "acme"), ("access_key", "MG9wdGlvbjVlY3JldA==")];
    let token = [
        ("account", "acme"),
        ("sas_token", "sv=1&sig=0ption5ecret0ption5ecret0ption5ecret"),
    ];
    for (url, options) in [
        ("s3://lake/tulip", &s3[..]),
        ("az://lake/tulip", &key),
        ("az://lake/tulip", &token),
    ] {
        let sink = connect(url, options).await.unwrap();
        let shown = format!("{sink:?}");
        for secret in [SECRET, CUSTOMER_KEY, "MG9wdGlvbjVlY3JldA"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
