//! Ctrl-C, SIGTERM and SIGHUP: the first ends in order, the second at once.

use std::io;
use std::time::Duration;

use tokio::sync::watch;

use crate::failure::{Code, Failure};
use crate::progress::Progress;

/// How long something that leaves traces may go on once it is time to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Tells when to stop.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    asked: watch::Receiver<bool>,
}

impl Shutdown {
    /// Listens from now on.
    pub(crate) fn install(progress: &Progress) -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::other(format!("cannot listen for signals: {error}"));
        let mut signals = Signals::new().map_err(failed)?;
        let (ask, asked) = watch::channel(false);
        let progress = progress.clone();
        tokio::spawn(async move {
            signals.next().await;
            progress.say("stopping; once more quits at once");
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
                // The listener is gone, and with it every way to be asked.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether it is time to stop.
    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Runs `work`. When it is time to stop it has a little longer, to take back what it has begun;
    /// what comes of it no longer counts.
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

    /// Runs `work` unless it is time to stop.
    pub(crate) async fn guard<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.wait() => Err(Failure::interrupted()),
            value = work => Ok(value),
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
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
