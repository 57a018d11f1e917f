//! How the process's memory is managed.

/// Has the C library keep one heap for all threads. By default it keeps several, and what is freed
/// in one is not used in another: parts of archives, which pass from thread to thread, then leave
/// gaps of about as many bytes again as are in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library has no other way to be told")]
pub(crate) fn settle() {
    // SAFETY: `mallopt` only sets a parameter, and no other thread is there yet. Where it refuses,
    // nothing changes.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Other systems' allocators share freed memory between threads by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn settle() {}
