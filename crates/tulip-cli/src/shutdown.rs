//! Ctrl-C, SIGTERM and SIGHUP: the first one stops gracefully, the second at once. SIGINT and
//! SIGHUP stay ignored if the parent has set them so, as `nohup` and shells do for background jobs.

use std::future::ready;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;

use crate::failure::{Code, Failure};
use crate::progress::Progress;

/// How long work that may leave something behind can continue once it is time to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How soon another signal is the same one again: `timeout` signals a command and its process
/// group, which has the command in it.
const REPEATED: Duration = Duration::from_millis(20);

/// A handle that signals when to stop.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    asked: watch::Receiver<bool>,
}

impl Shutdown {
    /// Starts to listen for signals.
    pub(crate) fn install(progress: &Progress) -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::other(format!("cannot listen for signals: {error}"));
        let signals = Signals::new().map_err(failed)?;
        let signals = stream::unfold(signals, async |mut signals| {
            signals.next().await;
            Some(((), signals))
        });
        let (ask, asked) = watch::channel(false);
        let progress = progress.clone();
        tokio::spawn(async move {
            let mut signals = pin!(signals);
            request(&mut signals).await;
            progress.say("stopping; press Ctrl-C again to quit immediately");
            ask.send_replace(true);
            signals.next().await;
            std::process::exit(Code::Interrupted as i32);
        });
        Ok(Self { asked })
    }

    /// Completes when it is time to stop.
    pub(crate) fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut asked = self.asked.clone();
        async move {
            if asked.wait_for(|asked| *asked).await.is_err() {
                // The listener is gone, so no request to stop can arrive any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether it is time to stop.
    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Runs `work`. When it is time to stop, `work` gets a little longer to clean up, and its
    /// result is dropped.
    pub(crate) async fn finish<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            () = self.wait() => {}
            value = &mut work => return Ok(value),
        }
        let _ = tokio::time::timeout(GRACE, work).await;
        Err(Failure::interrupted())
    }

    /// Runs `work`, but drops it when it is time to stop.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.wait() => Err(Failure::interrupted()),
            value = work => Ok(value),
        }
    }
}

/// Waits for a signal, and takes those that repeat it at once for the same one.
async fn request(signals: &mut (impl Stream<Item = ()> + Unpin)) {
    signals.next().await;
    let repeated = signals.for_each(|()| ready(()));
    let _ = tokio::time::timeout(REPEATED, repeated).await;
}

/// The signals to listen for; `None` for one that stays ignored.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: Option<tokio::signal::unix::Signal>,
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let unless_ignored = |kind: SignalKind| match is_ignored(kind.as_raw_value()) {
            true => Ok(None),
            false => signal(kind).map(Some),
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: unless_ignored(SignalKind::interrupt())?,
            hang_up: unless_ignored(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            _ = self.terminate.recv() => {}
            () = received(&mut self.interrupt) => {}
            () = received(&mut self.hang_up) => {}
        }
    }
}

/// Whether the process was started with this signal ignored.
#[cfg(unix)]
#[expect(unsafe_code, reason = "no safe interface tells a signal's disposition")]
fn is_ignored(signal: libc::c_int) -> bool {
    let mut current = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null action changes nothing; the current one is written to `current`, which is
    // large enough, and all zeroes are a valid value of it if nothing is written.
    let current = unsafe {
        libc::sigaction(signal, std::ptr::null(), current.as_mut_ptr());
        current.assume_init()
    };
    current.sa_sigaction == libc::SIG_IGN
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_signal_that_comes_twice_at_once_is_one_and_a_later_one_is_another() {
        let (send, received) = tokio::sync::mpsc::unbounded_channel();
        let (twice, later) = (send.clone(), send);
        twice.send(()).unwrap();
        twice.send(()).unwrap();
        let mut signals = Box::pin(stream::unfold(received, async |mut received| {
            Some((received.recv().await?, received))
        }));
        request(&mut signals).await;
        let another = async {
            tokio::time::sleep(REPEATED * 2).await;
            later.send(()).unwrap();
        };
        let began = tokio::time::Instant::now();
        tokio::join!(another, request(&mut signals));
        assert_eq!(began.elapsed(), REPEATED * 3);
    }
}
