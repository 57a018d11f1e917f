//! One object on its way into a program.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, Command};
use tokio::task::JoinHandle;
use tulip_core::ObjectKey;
use tulip_core::sink::{
    OpenOptions, SinkError, SinkErrorKind, SinkWriter, StoredObject, async_trait,
};

/// How much of what the program says last is kept for an error.
const TAIL: usize = 4096;

/// Tulip's credentials are not the program's business.
const SECRETS: [&str; 6] = [
    "TULIP_API_KEY",
    "TULIP_API_KEY_FILE",
    "TULIP_API_SECRET",
    "TULIP_API_SECRET_FILE",
    "TULIP_AUTH",
    "TULIP_AUTH_FILE",
];

/// A program that reads an object.
pub(crate) struct Child {
    // Dropped, and so killed, before its input: it must not take a break for the end.
    process: tokio::process::Child,
    stdin: Option<ChildStdin>,
    stderr: JoinHandle<Vec<u8>>,
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
        let mut command = Command::new(program);
        command
            .args(args)
            .env("TULIP_KEY", key.as_str())
            .env(
                "TULIP_CONTENT_TYPE",
                options.content_type.as_deref().unwrap_or_default(),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::from(io::stderr()))
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (name, value) in &options.metadata {
            command.env(name.to_ascii_uppercase().replace('-', "_"), value);
        }
        for secret in SECRETS {
            command.env_remove(secret);
        }
        let started = command.spawn();
        let mut process = started.map_err(|error| unusable(program, error))?;
        match (process.stdin.take(), process.stderr.take()) {
            (Some(stdin), Some(stderr)) => Ok(Self {
                process,
                stdin: Some(stdin),
                stderr: tokio::spawn(last_words(stderr)),
                program: program.to_owned(),
                bytes: 0,
                failed: false,
            }),
            _ => Err(unusable(program, io::Error::other("it has no pipes"))),
        }
    }

    fn given_up(&self) -> SinkError {
        let what = format!(
            "{} was given up after an earlier error",
            self.program.display()
        );
        SinkError::new(SinkErrorKind::Other, what)
    }

    /// What went wrong, once the program has ended.
    async fn ended(&mut self, status: io::Result<ExitStatus>) -> SinkError {
        let program = self.program.display();
        let what = match status {
            Ok(status) => format!("{program} ended with {status}"),
            Err(error) => format!("{program} cannot be waited for: {error}"),
        };
        let words = (&mut self.stderr).await.unwrap_or_default();
        let error = SinkError::new(SinkErrorKind::Other, what);
        match String::from_utf8_lossy(&words).trim() {
            "" => error.with_source("it said nothing"),
            words => error.with_source(format!("it said: {words}")),
        }
    }
}

#[async_trait]
impl SinkWriter for Child {
    async fn write(&mut self, chunk: Bytes) -> Result<(), SinkError> {
        let Some(stdin) = self.stdin.as_mut().filter(|_| !self.failed) else {
            return Err(self.given_up());
        };
        // A write that is dropped half-way has lost bytes. The pipe stays open then: its end would
        // tell the program that it has read everything.
        self.failed = true;
        if stdin.write_all(&chunk).await.is_err() {
            // It reads no more, so it has ended, or will now.
            let _ = self.process.start_kill();
            let status = self.process.wait().await;
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
        // Closes the pipe, for whose end the program waits.
        drop(self.stdin.take());
        match self.process.wait().await {
            Ok(status) if status.success() => Ok(StoredObject::new(self.bytes)),
            status => Err(self.ended(status).await),
        }
    }

    async fn abort(mut self: Box<Self>) -> Result<(), SinkError> {
        let killed = self.process.kill().await;
        killed.map_err(|error| unusable(&self.program, error))
    }
}

/// Reads to the end, so that the program is never held up, and keeps the last bytes.
async fn last_words(mut stderr: ChildStderr) -> Vec<u8> {
    let mut tail = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        tail.extend_from_slice(&buffer[..count]);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }
    tail
}

/// A program that cannot be started.
pub(crate) fn unusable(program: &Path, error: io::Error) -> SinkError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => SinkErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => SinkErrorKind::PermissionDenied,
        _ => SinkErrorKind::Other,
    };
    let what = format!("cannot run {}", program.display());
    SinkError::new(kind, what).with_source(error)
}
