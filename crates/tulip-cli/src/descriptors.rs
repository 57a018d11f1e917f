//! The limit on open files and connections.

/// Raises the limit on open files as far as allowed: the usual limit, 1024, is for programs that
/// cannot deal with more, and thousands of exports need as many locks.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If the system refuses, the limit stays. Reaching it is an error that says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// How many files and connections may be open; `None` for no limit.
#[cfg(unix)]
pub(crate) fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_limit() {}

#[cfg(not(unix))]
pub(crate) fn limit() -> Option<u64> {
    None
}
