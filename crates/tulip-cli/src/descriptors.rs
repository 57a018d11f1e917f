//! How many files and connections the process may have open.

/// Has the process use what it may: the usual limit on open files, 1024, is there for programs that
/// cannot deal with more, and thousands of exports need as many locks.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where the system refuses, the limit stays, and meeting it is an error that says so.
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
