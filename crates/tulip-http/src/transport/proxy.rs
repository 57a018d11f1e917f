//! The proxies of the environment. They are read here, not by the HTTP library, because a variable
//! that cannot be used must be an error and never a way around the proxy.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use url::{Host, Url};

use super::build_error::BuildError;
use super::env_proxy::EnvProxy;

/// The proxy for each host, by `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` as curl
/// reads them: the lower-case name wins over the upper-case one, and an empty variable counts as
/// unset.
#[derive(Clone, Default)]
pub(crate) struct Proxies(Arc<Inner>);

#[derive(Default)]
struct Inner {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exceptions: Exceptions,
}

#[derive(Clone)]
struct Proxy {
    variable: &'static str,
    url: Url,
}

impl Proxies {
    /// Reads the proxies of the process environment.
    pub(crate) fn from_env() -> Result<Self, BuildError> {
        Self::from_vars(|name| std::env::var_os(name))
    }

    fn from_vars(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, BuildError> {
        let first = |names: [&'static str; 2]| {
            let values = names.into_iter().map(|name| (name, var(name)));
            values
                .filter_map(|(name, value)| Some((name, value?)))
                .find(|(_, value)| !value.is_empty())
        };
        let proxy = |names| {
            first(names)
                .map(|(name, value)| parse(name, value))
                .transpose()
        };
        // In a CGI program, a request header `Proxy` becomes HTTP_PROXY.
        let is_cgi = var("REQUEST_METHOD").is_some();
        let upper = if is_cgi { "http_proxy" } else { "HTTP_PROXY" };
        let (http, https) = (
            proxy(["http_proxy", upper])?,
            proxy(["https_proxy", "HTTPS_PROXY"])?,
        );
        let all = proxy(["all_proxy", "ALL_PROXY"])?;
        let exceptions = first(["no_proxy", "NO_PROXY"]).map(|(_, value)| value);
        let exceptions = exceptions.map(|value| Exceptions::parse(&value.to_string_lossy()));
        Ok(Self(Arc::new(Inner {
            http: http.or_else(|| all.clone()),
            https: https.or(all),
            exceptions: exceptions.unwrap_or_default(),
        })))
    }

    /// Returns the proxy for the host of `url`, or `None` if it is contacted directly.
    pub(crate) fn of(&self, url: &Url) -> Option<&Url> {
        self.find(url).map(|proxy| &proxy.url)
    }

    /// Like [`Self::of`], but in a form that can be shown.
    pub(crate) fn shown(&self, url: &Url) -> Option<EnvProxy> {
        let proxy = self.find(url)?;
        EnvProxy::new(proxy.variable, &proxy.url)
    }

    fn find(&self, url: &Url) -> Option<&Proxy> {
        let proxy = match url.scheme() {
            "http" => self.0.http.as_ref(),
            "https" => self.0.https.as_ref(),
            _ => None,
        };
        proxy.filter(|_| !self.0.exceptions.contain(url))
    }

    /// Makes a client use these proxies and none of the system's.
    pub(crate) fn apply(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let proxies = self.clone();
        let proxy = reqwest::Proxy::custom(move |url| proxies.of(url).cloned());
        builder.no_proxy().proxy(proxy)
    }
}

impl fmt::Debug for Proxies {
    /// Leaves out the URLs, which can hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.0.http.is_some())
            .field("https", &self.0.https.is_some())
            .finish_non_exhaustive()
    }
}

/// Parses the value of a variable as the URL of a proxy. Without a scheme it is `http`.
fn parse(variable: &'static str, value: OsString) -> Result<Proxy, BuildError> {
    let refused = |reason: &str| BuildError::Proxy {
        variable,
        reason: reason.to_owned(),
    };
    let Ok(value) = value.into_string() else {
        return Err(refused("it is not UTF-8"));
    };
    let text = value.trim();
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return Err(refused("it is quoted; leave the quotes out"));
    }
    if text.starts_with('\u{feff}') {
        return Err(refused("it begins with a byte order mark"));
    }
    let url = match text.contains("://") {
        true => Url::parse(text),
        false => Url::parse(&format!("http://{text}")),
    };
    let url = url.map_err(|error| refused(&format!("it is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        let reason = "only http and https proxies are supported";
        return Err(refused(reason));
    }
    // The HTTP library would skip a proxy that it cannot parse.
    let uri = url.as_str().parse::<http::Uri>();
    match uri.is_ok_and(|uri| uri.authority().is_some()) {
        true => Ok(Proxy { variable, url }),
        false => Err(refused("it is not a valid proxy URL")),
    }
}

/// `NO_PROXY`: hosts that are contacted directly.
#[derive(Debug, Default)]
struct Exceptions {
    all: bool,
    hosts: Vec<Exception>,
}

#[derive(Debug)]
struct Exception {
    host: ExceptedHost,
    port: Option<u16>,
}

#[derive(Debug)]
enum ExceptedHost {
    /// This name and all below it.
    Domain(String),
    Cidr(IpNet),
}

impl Exceptions {
    /// Parses names and addresses, separated by commas or blanks. Anything else matches nothing.
    fn parse(text: &str) -> Self {
        let text = text.trim();
        let items = text.split([',', ' ', '\t']).filter(|item| !item.is_empty());
        Self {
            all: text == "*",
            hosts: items.filter_map(Exception::parse).collect(),
        }
    }

    fn contain(&self, url: &Url) -> bool {
        let Some(host) = url.host() else {
            return false;
        };
        let port = url.port_or_known_default();
        self.all
            || self.hosts.iter().any(|exception| {
                exception.host.is(&host) && (exception.port.is_none() || exception.port == port)
            })
    }
}

impl Exception {
    fn parse(item: &str) -> Option<Self> {
        if let Some(host) = ExceptedHost::address(item) {
            return Some(Self { host, port: None });
        }
        let (host, port) = match item.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (item, None),
        };
        let host = match ExceptedHost::address(host) {
            Some(address) => address,
            None => ExceptedHost::domain(host)?,
        };
        Some(Self { host, port })
    }
}

impl ExceptedHost {
    /// Parses an address, with or without a prefix length, in brackets or not.
    fn address(item: &str) -> Option<Self> {
        let bare = item
            .strip_prefix('[')
            .and_then(|item| item.strip_suffix(']'));
        let bare = bare.unwrap_or(item);
        let one = || bare.parse::<IpAddr>().map(IpNet::from).ok();
        let network = bare.parse::<IpNet>().ok().or_else(one)?;
        Some(Self::Cidr(network.trunc()))
    }

    fn domain(item: &str) -> Option<Self> {
        let name = item.strip_prefix('.').unwrap_or(item);
        let name = name.strip_suffix('.').unwrap_or(name);
        (!name.is_empty()).then(|| Self::Domain(name.to_ascii_lowercase()))
    }

    fn is(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Domain(domain), Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                let rest = name.strip_suffix(domain.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Cidr(network), Host::Ipv4(address)) => network.contains(&IpAddr::V4(*address)),
            (Self::Cidr(network), Host::Ipv6(address)) => network.contains(&IpAddr::V6(*address)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies(vars: &[(&str, &str)]) -> Result<Proxies, BuildError> {
        Proxies::from_vars(|name| {
            let var = vars.iter().find(|(known, _)| *known == name);
            var.map(|(_, value)| value.into())
        })
    }

    fn of(proxies: &Proxies, url: &str) -> Option<String> {
        let url: Url = url.parse().unwrap();
        proxies
            .of(&url)
            .map(|proxy| proxy.host_str().unwrap().to_owned())
    }

    #[test]
    fn a_proxy_is_shown_with_its_variable_and_without_its_password() {
        let vars = [
            ("HTTPS_PROXY", "https://joe:s3cret@proxy"),
            ("all_proxy", "[fd12::1]:3128"),
        ];
        let found = proxies(&vars).unwrap();
        let shown = |url: &str| found.shown(&url.parse().unwrap()).unwrap();
        let https = shown("https://acme.tulip.co/");
        assert_eq!(https.to_string(), "proxy:443, from HTTPS_PROXY");
        assert!(!format!("{https:?}").contains("s3cret"));
        let http = shown("http://acme.tulip.co/");
        assert_eq!(http.host, "fd12::1");
        assert_eq!(http.to_string(), "[fd12::1]:3128, from all_proxy");
    }

    #[test]
    fn the_variable_that_curl_would_use_wins() {
        let found = proxies(&[
            ("http_proxy", "http://lower:1"),
            ("HTTP_PROXY", "http://upper:1"),
            ("https_proxy", ""),
            ("HTTPS_PROXY", "secure:1"),
        ])
        .unwrap();
        assert_eq!(of(&found, "http://h/").as_deref(), Some("lower"));
        assert_eq!(of(&found, "https://h/").as_deref(), Some("secure"));
        let found = proxies(&[("ALL_PROXY", "all:1"), ("https_proxy", "https://own")]).unwrap();
        assert_eq!(of(&found, "http://h/").as_deref(), Some("all"));
        assert_eq!(of(&found, "https://h/").as_deref(), Some("own"));
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "attacker:1")];
        assert_eq!(of(&proxies(&cgi).unwrap(), "http://h/"), None);
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_an_error_that_names_it_and_no_password() {
        for value in [
            "\"http://user:pr0xyPW@127.0.0.1:8080\"",
            "'http://user:pr0xyPW@127.0.0.1:8080'",
            "htp://user:pr0xyPW@127.0.0.1:8080",
            "socks5://user:pr0xyPW@127.0.0.1:8080",
            "http://user:pr0xyPW@127.0.0.1:port",
            "http://user:pr0xyPW@",
            "http://",
            "user:pr0xyPW@pro xy:8080",
        ] {
            for name in ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
                let error = proxies(&[(name, value)]).unwrap_err();
                let shown = format!("{error} {error:?}");
                assert!(
                    shown.contains(name) && !shown.contains("pr0xyPW"),
                    "{shown}"
                );
            }
        }
        let shown = format!("{:?}", proxies(&[("http_proxy", "u:pr0xyPW@p:1")]).unwrap());
        assert!(!shown.contains("pr0xyPW"), "{shown}");
    }

    #[test]
    fn exceptions_are_those_of_curl() {
        let excepts = |no_proxy: &str, host: &str| {
            let vars = [("all_proxy", "p:1"), ("no_proxy", no_proxy)];
            of(&proxies(&vars).unwrap(), &format!("http://{host}/")).is_none()
        };
        for (no_proxy, host, expected) in [
            ("example.com", "example.com", true),
            ("example.com", "www.EXAMPLE.com", true),
            (".example.com", "example.com", true),
            (".example.com", "www.example.com", true),
            ("example.com.", "www.example.com", true),
            ("example.com", "www.example.com.", true),
            ("example.com", "notexample.com", false),
            ("www.example.com", "example.com", false),
            ("a, example.com", "example.com", true),
            ("a example.com", "example.com", true),
            ("*", "anything", true),
            ("*,a", "anything", false),
            ("*.example.com", "www.example.com", false),
            ("example.com:8080", "example.com:8080", true),
            ("example.com:80", "example.com", true),
            ("example.com:8080", "example.com", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.0.0.0/8", "10.200.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3:8080", "10.1.2.3:8080", true),
            ("10.1.2.3:8080", "10.1.2.3", false),
            ("::1", "[::1]", true),
            ("[::1]", "[::1]:8080", true),
            ("[::1]:8080", "[::1]:8080", true),
            ("[::1]:8080", "[::1]", false),
            ("fd12::/16", "[fd12::7]", true),
            ("fd12::/16", "[fd13::7]", false),
            ("10.0.0.0/99", "10.0.0.1", false),
            ("", "example.com", false),
            (",", "example.com", false),
            (".", "example.com", false),
        ] {
            assert_eq!(excepts(no_proxy, host), expected, "{no_proxy} {host}");
        }
    }

    proptest! {
        #[test]
        fn any_variable_is_read_without_panic(value in ".*", list in "[a-z0-9.:/, \\[\\]*]{0,40}") {
            if let Ok(found) = proxies(&[("all_proxy", &value), ("no_proxy", &list)]) {
                let _ = of(&found, "http://example.com:81/");
                let _ = of(&found, "https://[fd12::1]/");
            }
        }
    }
}
