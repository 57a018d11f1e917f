//! Memory settings of the process.

/// Blocks of this size or more come from the system and return to it when they are freed: the
/// blocks of downloads, which are reused, but not the buffers of connections.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM: libc::c_int = 512 * 1024;

/// How much freed memory the C library keeps. With less, the buffers of connections would be
/// returned to the system and requested again thousands of times per second, zeroed each time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 4 * 1024 * 1024;

/// Makes the C library use one heap for all threads. By default it has several, and memory freed in
/// one is not reused in another: parts of archives, which pass from thread to thread, then leave
/// gaps of about as many bytes as are in use.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library has no other way to be told")]
pub(crate) fn settle() {
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, MAPPED_FROM),
        (libc::M_TRIM_THRESHOLD, KEPT),
    ] {
        // SAFETY: `mallopt` only sets a parameter, and no other thread exists yet. If it refuses,
        // nothing changes.
        let _ = unsafe { libc::mallopt(parameter, value) };
    }
}

/// Other systems' allocators share freed memory between threads by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn settle() {}
