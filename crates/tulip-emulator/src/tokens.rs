//! API tokens: what each may do, and under which path.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use tokio::time::Instant;
use tulip_core::{Credentials, CredentialsError, Scope, WorkspaceId};

use crate::random::Random;

/// How long a one-time key works.
pub(crate) const ONE_TIME_LIFETIME: Duration = Duration::from_secs(30);

/// The kinds of API tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A workspace token: it works only under `/api/v3/…`.
    Workspace,
    /// An account token: it works only under `/api/v3/w/{workspace}/…`, for the emulator's
    /// workspace.
    Account,
    /// A workspace token that works for 30 seconds, by tokio's clock.
    OneTime,
}

struct Token {
    secret: String,
    kind: TokenKind,
    scopes: Vec<Scope>,
    issued: Instant,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 401: no usable credentials were sent.
    Unauthenticated(&'static str),
    /// 403: the credentials are not sufficient.
    Forbidden(String),
}

#[derive(Default)]
pub(crate) struct Tokens(HashMap<String, Token>);

impl Tokens {
    /// Generates and adds token number `index` of this instance.
    pub(crate) fn issue(
        &mut self,
        seed: u64,
        index: u64,
        kind: TokenKind,
        scopes: &[Scope],
        now: Instant,
    ) -> Result<Credentials, CredentialsError> {
        let mut random = Random::of(seed, "token", index);
        let prefix = match kind {
            TokenKind::OneTime => "onetime.1",
            TokenKind::Workspace | TokenKind::Account => "apikey.2",
        };
        let key = format!("{prefix}_{}", random.name(17));
        let credentials = Credentials::new(&key, &random.name(43))?;
        self.add(&credentials, kind, scopes, now);
        Ok(credentials)
    }

    /// Accepts `credentials` from `now` on.
    pub(crate) fn add(
        &mut self,
        credentials: &Credentials,
        kind: TokenKind,
        scopes: &[Scope],
        now: Instant,
    ) {
        let token = Token {
            secret: credentials.expose_secret().to_owned(),
            kind,
            scopes: scopes.to_vec(),
            issued: now,
        };
        self.0.insert(credentials.key().to_owned(), token);
    }

    /// Checks whether a request with this `Authorization` may use `scope`. `asked` is the workspace
    /// in the path, if it has one.
    pub(crate) fn check(
        &self,
        authorization: Option<&[u8]>,
        asked: Option<&str>,
        workspace: &WorkspaceId,
        scope: Scope,
        now: Instant,
    ) -> Result<(), Refusal> {
        let (key, secret) = basic(authorization)?;
        let rejected = || Refusal::Forbidden("the API key or its secret is not valid".to_owned());
        let token = self.0.get(&key).ok_or_else(rejected)?;
        if !same(token.secret.as_bytes(), secret.as_bytes()) {
            return Err(rejected());
        }
        let forbidden = |details: String| Err(Refusal::Forbidden(details));
        if token.kind == TokenKind::OneTime && now.duration_since(token.issued) >= ONE_TIME_LIFETIME
        {
            return forbidden("the one-time key has expired: it lives 30 seconds".to_owned());
        }
        match (token.kind, asked) {
            (TokenKind::Account, None) => {
                return forbidden(format!(
                    "an account API token works under /api/v3/w/{workspace}/ only"
                ));
            }
            (TokenKind::Account, Some(asked)) if asked != workspace.as_str() => {
                return forbidden(format!(
                    "the token has no access to workspace {asked:?}; it belongs to {:?}",
                    workspace.as_str()
                ));
            }
            (TokenKind::Workspace | TokenKind::OneTime, Some(_)) => {
                return forbidden(
                    "a workspace API token works under /api/v3/ only, without /w/{workspace}"
                        .to_owned(),
                );
            }
            _ => {}
        }
        if !token.scopes.contains(&scope) {
            return forbidden(format!("the token lacks the scope {scope}"));
        }
        Ok(())
    }
}

/// Reads the key and secret of HTTP Basic.
fn basic(authorization: Option<&[u8]>) -> Result<(String, String), Refusal> {
    let refused = |reason| Err(Refusal::Unauthenticated(reason));
    let Some(header) = authorization else {
        return refused("HTTP Basic authentication with an API key is required");
    };
    let Some((scheme, encoded)) = std::str::from_utf8(header)
        .ok()
        .and_then(|header| header.trim().split_once(' '))
    else {
        return refused("the Authorization header is not \"Basic\" with a value");
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return refused("the authentication scheme must be Basic, with an API key");
    }
    let encoded = encoded.trim();
    let pair = STANDARD
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match pair.as_deref().and_then(|pair| pair.split_once(':')) {
        Some((key, secret)) => Ok((key.to_owned(), secret.to_owned())),
        None => refused("the Basic credentials are not the base64 of \"key:secret\""),
    }
}

/// Compares in time that depends only on the lengths.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Scope; 2] = [Scope::MachinesRead, Scope::MachinesWrite];

    fn check(kind: TokenKind, scopes: &[Scope], asked: Option<&str>) -> Result<(), Refusal> {
        let mut tokens = Tokens::default();
        let now = Instant::now();
        let credentials = tokens.issue(1, 0, kind, scopes, now).unwrap();
        let header = credentials.basic_header();
        let workspace = "DEFAULT".parse().unwrap();
        let scope = Scope::MachinesWrite;
        tokens.check(Some(header.as_bytes()), asked, &workspace, scope, now)
    }

    fn refused(result: Result<(), Refusal>, says: &str) {
        let Err(Refusal::Forbidden(details)) = &result else {
            panic!("{result:?}");
        };
        assert!(details.contains(says), "{details}");
    }

    #[test]
    fn each_kind_works_under_its_own_path_alone() {
        assert_eq!(check(TokenKind::Workspace, &BOTH, None), Ok(()));
        assert_eq!(check(TokenKind::OneTime, &BOTH, None), Ok(()));
        assert_eq!(check(TokenKind::Account, &BOTH, Some("DEFAULT")), Ok(()));
        refused(check(TokenKind::Account, &BOTH, None), "/api/v3/w/DEFAULT/");
        refused(
            check(TokenKind::Account, &BOTH, Some("W2")),
            "no access to workspace \"W2\"",
        );
        refused(
            check(TokenKind::Workspace, &BOTH, Some("DEFAULT")),
            "/api/v3/ only",
        );
    }

    #[test]
    fn a_missing_scope_is_named() {
        let result = check(TokenKind::Workspace, &[Scope::MachinesRead], None);
        refused(result, "lacks the scope machines:write");
    }

    #[test]
    fn what_is_not_basic_is_unauthenticated() {
        let workspace = "DEFAULT".parse().unwrap();
        for header in [
            None,
            Some("Bearer abc"),
            Some("Basic"),
            Some("Basic %%"),
            Some("Basic YWJj"),
        ] {
            let result = Tokens::default().check(
                header.map(str::as_bytes),
                None,
                &workspace,
                Scope::MachinesRead,
                Instant::now(),
            );
            assert!(
                matches!(result, Err(Refusal::Unauthenticated(_))),
                "{header:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_one_time_key_lives_thirty_seconds() {
        let mut tokens = Tokens::default();
        let issued = Instant::now();
        let credentials = tokens
            .issue(1, 0, TokenKind::OneTime, &BOTH, issued)
            .unwrap();
        assert!(credentials.key().starts_with("onetime.1_"));
        let header = credentials.basic_header();
        let workspace = "DEFAULT".parse().unwrap();
        let at = |now| {
            tokens.check(
                Some(header.as_bytes()),
                None,
                &workspace,
                Scope::MachinesRead,
                now,
            )
        };
        assert_eq!(at(issued + Duration::from_secs(29)), Ok(()));
        refused(at(issued + Duration::from_secs(30)), "expired");
    }

    #[test]
    fn a_wrong_secret_is_forbidden() {
        let mut tokens = Tokens::default();
        let now = Instant::now();
        let issued = tokens
            .issue(1, 0, TokenKind::Workspace, &BOTH, now)
            .unwrap();
        let wrong = Credentials::new(issued.key(), "guess").unwrap();
        let workspace = "DEFAULT".parse().unwrap();
        let header = wrong.basic_header();
        let scope = Scope::MachinesRead;
        let result = tokens.check(Some(header.as_bytes()), None, &workspace, scope, now);
        refused(result, "not valid");
    }

    #[test]
    fn comparison_sees_every_byte_and_the_length() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }
}
