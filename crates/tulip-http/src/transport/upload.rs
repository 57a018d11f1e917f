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

/// A request that is under way, and takes its body by [`Upload::write`]: what a sink's writer needs
/// to hand its chunks to a server as they come. [`Transport::upload`] makes it.
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
/// Dropping an upload breaks the request off: the server sees a body that does not end, not a
/// shorter one. A [`write`](Self::write) that is dropped may have sent a part of its chunk, so the
/// upload is of no use after that.
#[derive(Debug)]
pub struct Upload {
    body: mpsc::Sender<Message>,
    sending: JoinHandle<Answer>,
    progress: Arc<Progress>,
    read_timeout: Duration,
    /// A write has failed or was dropped, or the body is whole.
    ended: bool,
}

/// When the server answered, of an upload that it has ended.
const EARLY: &str = " before it had the whole body";

type Answer = Result<Response<TransportBody>, TransportError>;

#[derive(Debug)]
enum Message {
    Slice(Bytes),
    /// The body is whole. Without it, it is not.
    End,
}

impl Transport {
    /// Sends a request whose body follows in chunks. Its length is not announced unless the request
    /// has a `Content-Length`, so it goes in HTTP's chunked encoding. Where the builder's parts
    /// make no request, the first write fails.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn upload(&self, request: request::Builder) -> Upload {
        // One waits while another is being sent.
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
    /// Sends a chunk. Returns once the connection has taken it, but for its last 128 KiB.
    ///
    /// # Errors
    /// [`TransportError`] when the connection fails, takes nothing for
    /// [`NetworkOptions::read_timeout`](tulip_core::NetworkOptions::read_timeout), or the server
    /// answers before it has the whole body: [`TransportError::status`] is its answer then. Every
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
    /// [`TransportError`] when there is no response, or an earlier call has failed. A status that
    /// tells of a failure is a response: see [`error_for_status`](crate::error_for_status).
    pub async fn finish(&mut self) -> Result<Response<TransportBody>, TransportError> {
        self.check()?;
        self.ended = true;
        match self.push(Message::End).await {
            Some(answer) => answer,
            None => joined((&mut self.sending).await),
        }
    }

    fn check(&self) -> Result<(), TransportError> {
        match self.ended {
            true => Err(TransportError::interrupted("the upload has ended already")),
            false => Ok(()),
        }
    }

    /// Hands a message to the connection. Gives the answer where the request has ended before.
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
        // Nobody takes the body any more: the answer is about to come.
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

/// Gives what was pushed, and fails where the end was not.
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
