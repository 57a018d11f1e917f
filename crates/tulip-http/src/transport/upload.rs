//! A request whose body is written chunk by chunk.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, request};
use http_body::{Body, Frame};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::client::{Transport, TransportBody};
use super::transport_error::TransportError;
use super::watched::{Progress, SLICE};

/// A request in progress that takes its body from [`Upload::write`], so that a sink's writer can
/// pass its chunks to a server as they come. Made by [`Transport::upload`].
///
/// Memory is bounded: at most 128 KiB wait here for the connection.
///
/// ```no_run
/// use tulip_core::NetworkOptions;
/// use tulip_http::{Transport, http::Request};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let transport = Transport::new(&NetworkOptions::default())?;
///     let mut upload = transport.upload(Request::put("http://nas:8080/a.csv"));
///     upload.write("a,b\n".into()).await?;
///     upload.write("1,2\n".into()).await?;
///     println!("{}", upload.finish().await?.status());
///     Ok(())
/// }
/// ```
///
/// # Cancellation
/// Dropping an upload breaks off the request: the server sees an unfinished body, not a shorter
/// one. A dropped [`write`](Self::write) may have sent a part of its chunk, so the upload cannot be
/// used after that.
#[derive(Debug)]
pub struct Upload {
    body: mpsc::Sender<Message>,
    sending: JoinHandle<Answer>,
    progress: Arc<Progress>,
    read_timeout: Duration,
    /// Whether a write has failed or was dropped, or the body is complete.
    ended: bool,
}

/// The end of the error message if the server answers early.
const EARLY: &str = " before it had the whole body";

type Answer = Result<Response<TransportBody>, TransportError>;

#[derive(Debug)]
enum Message {
    Slice(Bytes),
    /// The body is complete. Without this message it is not.
    End,
}

impl Transport {
    /// Sends a request whose body follows in chunks. Unless the request has a `Content-Length`, the
    /// body's length is not announced and HTTP's chunked encoding is used. If the builder's parts
    /// do not make a request, the first write fails.
    ///
    /// # Panics
    /// If called outside of a tokio runtime.
    #[must_use]
    pub fn upload(&self, request: request::Builder) -> Upload {
        // One message waits while another is being sent.
        let (body, messages) = mpsc::channel(1);
        let request = request.body(PushedBody { messages });
        let progress = Arc::new(Progress::new());
        let (transport, watched) = (self.clone(), progress.clone());
        Upload {
            body,
            sending: tokio::spawn(async move {
                let request = request.map_err(|error| TransportError::unusable(&error))?;
                transport.send_watched(request, watched).await
            }),
            progress,
            read_timeout: self.read_timeout,
            ended: false,
        }
    }
}

impl Upload {
    /// Sends a chunk. Returns once the connection has taken all but the last 128 KiB.
    ///
    /// # Errors
    /// [`TransportError`] if the connection fails, takes nothing for
    /// [`NetworkOptions::read_timeout`](tulip_core::NetworkOptions::read_timeout), or the server
    /// answers before it has the whole body: then [`TransportError::status`] is its answer. Every
    /// later call fails too.
    pub async fn write(&mut self, mut chunk: Bytes) -> Result<(), TransportError> {
        self.check()?;
        self.ended = true;
        while !chunk.is_empty() {
            let slice = chunk.split_to(chunk.len().min(SLICE));
            if let Some(answer) = self.push(Message::Slice(slice)).await {
                return Err(match answer {
                    Ok(response) => TransportError::refused(response.status(), EARLY),
                    Err(error) => error,
                });
            }
        }
        self.ended = false;
        Ok(())
    }

    /// Ends the body and waits for the response. Can be called once.
    ///
    /// # Errors
    /// [`TransportError`] if there is no response, or an earlier call has failed. An error status
    /// is a response: see [`error_for_status`](crate::error_for_status).
    pub async fn finish(&mut self) -> Result<Response<TransportBody>, TransportError> {
        self.check()?;
        self.ended = true;
        match self.push(Message::End).await {
            Some(answer) => answer,
            None => joined((&mut self.sending).await),
        }
    }

    /// Breaks off the request, and waits until it is.
    pub(super) async fn cancel(mut self) {
        if !self.sending.is_finished() {
            self.sending.abort();
            let _ = (&mut self.sending).await;
        }
    }

    fn check(&self) -> Result<(), TransportError> {
        match self.ended {
            true => Err(TransportError::interrupted("the upload has ended already")),
            false => Ok(()),
        }
    }

    /// Hands a message to the connection. Returns the answer if the request has already ended.
    async fn push(&mut self, message: Message) -> Option<Answer> {
        tokio::select! {
            biased;
            answer = &mut self.sending => return Some(joined(answer)),
            place = tokio::time::timeout(self.read_timeout, self.body.reserve()) => match place {
                Ok(Ok(place)) => {
                    place.send(message);
                    self.progress.fed();
                    return None;
                }
                Ok(Err(_)) => {}
                Err(_) => return Some(Err(TransportError::read_timed_out(self.read_timeout))),
            },
        }
        // The body is no longer read, so the answer is about to come.
        Some(joined((&mut self.sending).await))
    }
}

fn joined(answer: Result<Answer, JoinError>) -> Answer {
    answer.unwrap_or_else(|_| Err(TransportError::interrupted("the runtime is shutting down")))
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

/// Yields what was pushed, and fails if the end was not.
#[derive(Debug)]
struct PushedBody {
    messages: mpsc::Receiver<Message>,
}

impl Body for PushedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match ready!(self.messages.poll_recv(cx)) {
            Some(Message::Slice(slice)) => Some(Ok(Frame::data(slice))),
            Some(Message::End) => None,
            None => Some(Err(io::Error::other("the upload was given up"))),
        })
    }
}
