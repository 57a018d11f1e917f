//! Registering, connecting, and which options are shown.

use async_trait::async_trait;

use super::*;

crate::register_sink_hint!("gs", "gcs");

struct Named(&'static str, &'static str);

const OPTIONS: &[SinkOption] = &[
    SinkOption::new("team", "whose").public(),
    SinkOption::new("batch", "rows per request")
        .public()
        .tuning(),
    SinkOption::new("token", "a secret"),
    SinkOption::new("metadata.NAME", "kept").public(),
];

#[async_trait]
impl SinkFactory for Named {
    fn scheme(&self) -> &str {
        self.0
    }
    fn summary(&self) -> &str {
        self.1
    }
    fn example(&self) -> &str {
        "x://"
    }
    fn options(&self) -> &[SinkOption] {
        OPTIONS
    }
    async fn connect(&self, _: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
        Err(SinkError::new(SinkErrorKind::Unavailable, "reached"))
    }
}

/// Polls a future once: the futures here never wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the future waits"),
    }
}

#[test]
fn a_duplicate_scheme_is_refused_by_name() {
    let mut registry = SinkRegistry::empty();
    registry.register(Named("mine", "first")).unwrap();
    let error = registry.register(Named("mine", "second")).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"two sinks have the scheme "mine": "first" and "second"; register one of them"#
    );
    assert_eq!(registry.schemes().collect::<Vec<_>>(), ["mine"]);
}

#[test]
fn what_only_tunes_or_is_secret_does_not_change_the_identity() {
    let mut registry = SinkRegistry::empty();
    registry.register(Named("mine", "x")).unwrap();
    let identity = |url: &str| {
        let url = registry.identity(&url.parse().unwrap());
        url.expose().to_string()
    };
    let plain = identity("mine://h/x?metadata.a=1&team=ops");
    assert_eq!(plain, "mine://h/x?metadata.a=1&team=ops");
    for same in [
        "mine://h/x?team=ops&metadata.a=1",
        "mine://h/x?batch=7&team=ops&metadata.a=1",
        "mine://h/x?team=ops&token=5ecret&metadata.a=1&batch=8",
        "mine://u:5ecret@h/x?team=ops&metadata.a=1#f",
    ] {
        assert_eq!(identity(same), plain, "{same}");
    }
    assert_ne!(identity("mine://h/x?team=dev&metadata.a=1"), plain);
    assert_eq!(identity("mine://h/x?batch=7"), identity("mine://h/x"));
    let written = registry.without_secrets(&"mine://h/x?team=a&batch=7&token=s".parse().unwrap());
    assert_eq!(written.expose().as_str(), "mine://h/x?team=a&batch=7");
}

#[test]
fn values_that_are_no_secrets_are_shown() {
    let mut registry = SinkRegistry::empty();
    registry.register(Named("mine", "x")).unwrap();
    let shown = |url: &str| registry.shown(&url.parse().unwrap());
    assert_eq!(
        shown("mine://u:5ecret@h/x?team=ops&token=5ecret&other=5ecret"),
        "mine://[redacted]@h/x?team=ops&token=[redacted]&other=[redacted]"
    );
    assert_eq!(
        shown("mine://h/x?team=https://u:5ecret@h&batch=8"),
        "mine://h/x?team=[redacted]&batch=8"
    );
    assert_eq!(
        shown("other://h/x?team=5ecret"),
        "other://h/x?team=[redacted]"
    );
}

#[test]
fn schemes_that_no_url_can_have_are_refused() {
    for scheme in ["", "c", "Mine", "1st", "my_sink"] {
        let error = SinkRegistry::empty()
            .register(Named(scheme, "x"))
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::InvalidScheme { .. }),
            "{scheme}"
        );
    }
}

#[test]
fn an_unknown_scheme_names_what_is_there_and_the_feature() {
    let mut registry = SinkRegistry::empty();
    let connect = |registry: &SinkRegistry, url: &str| {
        let options = NetworkOptions::default();
        now(registry.connect(&url.parse().unwrap(), &options)).unwrap_err()
    };
    let error = connect(&registry, "ftp://h/x");
    assert!(error.to_string().contains("none is registered"), "{error}");
    registry.register(Named("mine", "x")).unwrap();
    registry.register(Named("file", "x")).unwrap();
    let error = connect(&registry, "gs://bucket/x");
    assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
    assert!(
        error
            .to_string()
            .contains(r#"there are: file, mine; the cargo feature "gcs" adds it"#),
        "{error}"
    );
    assert!(
        connect(&registry, "mine://x")
            .to_string()
            .contains("reached")
    );
    let error = connect(&registry, "mine://x?depth=1");
    assert_eq!(error.kind(), SinkErrorKind::InvalidTarget);
}
