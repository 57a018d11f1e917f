//! Routing by method and path.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::fault::Endpoint;

/// A request to a known path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The workspace in the path: required with account tokens, not allowed with others.
    pub(crate) workspace: Option<String>,
    pub(crate) endpoint: Endpoint,
    /// The machine or job in the path; empty if the endpoint has none.
    pub(crate) id: String,
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// There is no such path.
    Path,
    /// The path takes only this method.
    Method(&'static str),
    /// A segment does not decode to text.
    Encoding,
}

/// Finds the route of `method` on `path` (percent-encoded, without the query).
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, NoRoute> {
    let mut decoded = Vec::new();
    for segment in path.strip_prefix('/').ok_or(NoRoute::Path)?.split('/') {
        let text = percent_decode_str(segment).decode_utf8();
        decoded.push(text.map_err(|_| NoRoute::Encoding)?.into_owned());
    }
    let segments: Vec<_> = decoded.iter().map(String::as_str).collect();
    let (workspace, rest) = match segments.as_slice() {
        ["api", "v3", "w", workspace, rest @ ..] => (Some((*workspace).to_owned()), rest),
        ["api", "v3", rest @ ..] => (None, rest),
        _ => return Err(NoRoute::Path),
    };
    let (endpoint, wanted, id) = match rest {
        ["machines"] => (Endpoint::Machines, Method::GET, ""),
        ["machines", "archive", "csv", job] => (Endpoint::Status, Method::GET, *job),
        ["machines", "archive", machine] => (Endpoint::Start, Method::POST, *machine),
        _ => return Err(NoRoute::Path),
    };
    if *method != wanted {
        let allowed = if wanted == Method::GET { "GET" } else { "POST" };
        return Err(NoRoute::Method(allowed));
    }
    Ok(Route {
        workspace,
        endpoint,
        id: id.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(method: Method, path: &str) -> Result<(Option<String>, Endpoint, String), NoRoute> {
        route(&method, path).map(|route| (route.workspace, route.endpoint, route.id))
    }

    #[test]
    fn both_forms_of_each_path_are_known() {
        for (prefix, workspace) in [
            ("/api/v3", None),
            ("/api/v3/w/DEFAULT", Some("DEFAULT".to_owned())),
        ] {
            let at = |method, path: &str| found(method, &format!("{prefix}{path}")).unwrap();
            let expected = |endpoint, id: &str| (workspace.clone(), endpoint, id.to_owned());
            assert_eq!(
                at(Method::GET, "/machines"),
                expected(Endpoint::Machines, "")
            );
            assert_eq!(
                at(Method::GET, "/machines/archive/csv/j1"),
                expected(Endpoint::Status, "j1")
            );
            assert_eq!(
                at(Method::POST, "/machines/archive/m_1"),
                expected(Endpoint::Start, "m_1")
            );
        }
    }

    #[test]
    fn segments_are_decoded_after_they_are_split() {
        let (_, _, id) = found(Method::POST, "/api/v3/machines/archive/a%2Fb%20%E6%97%A5").unwrap();
        assert_eq!(id, "a/b 日");
        let (workspace, ..) = found(Method::GET, "/api/v3/w/a%20b/machines").unwrap();
        assert_eq!(workspace.as_deref(), Some("a b"));
    }

    #[test]
    fn what_is_not_there_says_how() {
        let get = |path| found(Method::GET, path).unwrap_err();
        assert_eq!(get("/"), NoRoute::Path);
        assert_eq!(get("/api/v2/machines"), NoRoute::Path);
        assert_eq!(get("/api/v3/machines/"), NoRoute::Path);
        assert_eq!(get("/api/v3/machines/archive/m1"), NoRoute::Method("POST"));
        assert_eq!(get("/api/v3/machines/archive/csv/%FF"), NoRoute::Encoding);
        let post = found(Method::POST, "/api/v3/machines").unwrap_err();
        assert_eq!(post, NoRoute::Method("GET"));
    }

    proptest! {
        #[test]
        fn any_path_is_routed_without_panic(path in any::<String>()) {
            let _ = route(&Method::GET, &path);
        }
    }
}
