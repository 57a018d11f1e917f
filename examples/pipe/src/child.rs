//! The writer of one object into a program.

use std::io::{self, PipeReader, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{ChildStderr, Command};
use tokio::task::JoinHandle;
use tulip_core::sink::{
    OpenOptions, SinkError, SinkErrorKind, SinkWriter, StoredObject, async_trait,
};
use tulip_core::{ObjectKey, one_line};

/// How many of the last bytes that the program prints to stderr are kept for an error.
const TAIL: usize = 4096;

/// How long to wait for the last words of a program that has ended: a process that it left in the
/// background may keep its stderr open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The prefix of Tulip's own variables. They can hold its credentials, so the program gets only
/// those that describe the object.
const OURS: &str = "TULIP_";

/// A program that reads an object, and everything it has started: one process group.
pub(crate) struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
    /// The pipe's writing end. Dropped only after the group was killed, since its end would tell
    /// the program that it has read everything.
    input: Option<pipe::Sender>,
    /// The pipe's reading end, to see whether the program has left anything unread.
    unread: Option<PipeReader>,
    stderr: LastWords,
    program: PathBuf,
    bytes: u64,
    failed: bool,
}

impl Child {
    pub(crate) fn start(
        program: &Path,
        args: &[String],
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Self, SinkError> {
        let unusable = |error| unusable(program, error);
        let (reader, writer) = io::pipe().map_err(unusable)?;
        let media_type = options.content_type.as_deref().unwrap_or_default();
        let size = options.size_hint.map(|bytes| bytes.to_string());
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(OURS) {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .env("TULIP_KEY", key.as_str())
            .env("TULIP_CONTENT_TYPE", media_type)
            .env("TULIP_SIZE", size.unwrap_or_default())
            .stdin(Stdio::from(reader.try_clone().map_err(unusable)?))
            .stdout(Stdio::from(io::stderr()))
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, value) in &options.metadata {
            let name = name.strip_prefix("tulip-").unwrap_or(name);
            let name = name.to_ascii_uppercase().replace('-', "_");
            command.env(format!("TULIP_META_{name}"), value);
        }
        let input = pipe::Sender::from_owned_fd(OwnedFd::from(writer)).map_err(unusable)?;
        let mut process = command.spawn().map_err(unusable)?;
        let group = process
            .id()
            .and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Ok(Self {
            stderr: LastWords::of(process.stderr.take()),
            process,
            group,
            input: Some(input),
            unread: Some(reader),
            program: program.to_owned(),
            bytes: 0,
            failed: false,
        })
    }

    fn given_up(&self) -> SinkError {
        let what = format!(
            "{} was aborted after an earlier error",
            self.program.display()
        );
        SinkError::new(SinkErrorKind::Other, what)
    }

    /// Kills the program and everything it has started.
    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It fails only if no process is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Returns what went wrong, once the program has ended.
    async fn ended(&mut self, status: io::Result<ExitStatus>) -> SinkError {
        self.kill();
        let program = self.program.display();
        let what = match status {
            Ok(status) if status.success() => {
                format!("{program} ended before it had read everything")
            }
            Ok(status) => format!("{program} ended with {status}"),
            Err(error) => format!("{program} cannot be waited for: {error}"),
        };
        let words = self.stderr.take().await;
        let error = SinkError::new(SinkErrorKind::Other, what);
        match words.trim() {
            "" => error.with_source("it said nothing"),
            words => error.with_source(format!("it said: {}", one_line(words, TAIL))),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

#[async_trait]
impl SinkWriter for Child {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        let Some(input) = self.input.as_mut().filter(|_| !self.failed) else {
            return Err(self.given_up());
        };
        // A write that is dropped half-way has lost bytes.
        self.failed = true;
        let status = tokio::select! {
            written = input.write_all(&chunk) => match written {
                Ok(()) => None,
                Err(error) => Some(Err(error)),
            },
            // The program has ended. The pipe does not report that, since its reading end is also
            // ours.
            status = self.process.wait() => Some(status),
        };
        if let Some(status) = status {
            return Err(self.ended(status).await);
        }
        self.failed = false;
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    async fn close(mut self: Box<Self>) -> Result<StoredObject, SinkError> {
        if self.failed {
            return Err(self.given_up());
        }
        // Closes the pipe: the program waits for its end.
        drop(self.input.take());
        let status = self.process.wait().await;
        // The writing end is closed, so this does not block.
        let rest = self.unread.as_mut().map(|pipe| pipe.read(&mut [0]));
        match (status, rest) {
            (Ok(status), Some(Ok(0))) if status.success() => {
                // Processes that it left in the background may live on.
                self.group = None;
                Ok(StoredObject::new(self.bytes))
            }
            (status, _) => Err(self.ended(status).await),
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        self.kill();
        let ended = self.process.wait().await;
        let ended = ended.map(|_| ());
        ended.map_err(|error| unusable(&self.program, error))
    }
}

/// The last words of a program on stderr.
struct LastWords {
    tail: Arc<Mutex<Vec<u8>>>,
    reading: Option<JoinHandle<()>>,
}

impl LastWords {
    fn of(stderr: Option<ChildStderr>) -> Self {
        let tail = Arc::new(Mutex::new(Vec::new()));
        let reading = stderr.map(|stderr| tokio::spawn(listen(stderr, tail.clone())));
        Self { tail, reading }
    }

    /// Returns the last words, once the program has ended.
    async fn take(&mut self) -> String {
        if let Some(reading) = self.reading.take() {
            // Whatever was read by then has to do.
            let _ = tokio::time::timeout(LAST_WORDS, reading).await;
        }
        let tail = self.tail.lock().map(|tail| tail.clone());
        String::from_utf8_lossy(&tail.unwrap_or_default()).into_owned()
    }
}

/// Reads to the end, so that the program never blocks, and keeps the last bytes.
async fn listen(mut stderr: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let Ok(mut tail) = kept.lock() else {
            return;
        };
        tail.extend_from_slice(&buffer[..count]);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }
}

/// Returns the error for a program that cannot be run.
pub(crate) fn unusable(program: &Path, error: io::Error) -> SinkError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => SinkErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => SinkErrorKind::PermissionDenied,
        _ => SinkErrorKind::Other,
    };
    let what = format!("cannot run {}", program.display());
    SinkError::new(kind, what).with_source(error)
}
