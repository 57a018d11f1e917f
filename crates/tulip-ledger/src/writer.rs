//! The thread that writes for all exports of a process.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tulip_archive::{StateError, StateErrorKind};

use crate::database::{Database, Session};
use crate::error;

/// The maximum number of writes in one transaction. More would only make the first ones wait.
const BATCH: usize = 1024;

/// How long a transaction waits for more writes, if the previous one had several. They come from
/// concurrent exports, and one transaction for all of them costs little more than for one.
const LINGER: Duration = Duration::from_micros(500);

/// Sends work to the thread. Dropping it finishes the queued work, then closes the database.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<Sender<Box<dyn Task>>>,
    thread: Option<JoinHandle<()>>,
    folder: PathBuf,
}

impl Writer {
    /// Opens the database in `folder`, and starts the thread.
    pub(crate) fn start(folder: &Path) -> Result<Self, StateError> {
        let database = Database::open(folder)?;
        let (queue, tasks) = channel();
        let thread = std::thread::Builder::new()
            .name("tulip-ledger".to_owned())
            .spawn(move || run(database, &tasks));
        let thread = thread.map_err(|error| error::files(folder, error))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            folder: folder.to_owned(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Queues work, and waits until it is committed. Work that is not `durable` need only survive
    /// the process. Work may be done twice if a transaction fails.
    ///
    /// # Cancellation
    /// Queued work is done even if the future is dropped.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        durable: bool,
        work: impl FnMut(&mut Session<'_>) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        self.wait(durable, work, |done| done).await
    }

    /// Like [`Writer::call`], but if the future is dropped, `undo` is done with the result.
    pub(crate) async fn call_or_undo<T: Send + 'static>(
        &self,
        durable: bool,
        work: impl FnMut(&mut Session<'_>) -> Result<T, StateError> + Send + 'static,
        undo: fn(&Session<'_>, &T) -> Result<(), StateError>,
    ) -> Result<T, StateError> {
        let queue = self.queue.clone();
        let answer = self.wait(durable, work, move |done| Unclaimed {
            done: Some(done),
            undo,
            queue,
        });
        answer.await?.take().ok_or_else(|| self.has_ended())
    }

    async fn wait<T: Send + 'static, A: Send + 'static>(
        &self,
        durable: bool,
        work: impl FnMut(&mut Session<'_>) -> Result<T, StateError> + Send + 'static,
        finish: impl FnOnce(T) -> A + Send + 'static,
    ) -> Result<A, StateError> {
        let (reply, answer) = oneshot::channel();
        self.queue(Box::new(Call {
            durable,
            work,
            done: None,
            finish,
            reply,
        }));
        answer.await.unwrap_or_else(|_| Err(self.has_ended()))
    }

    /// Queues work without waiting for it.
    pub(crate) fn send(
        &self,
        work: impl FnMut(&mut Session<'_>) -> Result<(), StateError> + Send + 'static,
    ) {
        let (reply, _) = oneshot::channel();
        self.queue(Box::new(Call {
            durable: false,
            work,
            done: None,
            finish: |()| (),
            reply,
        }));
    }

    fn queue(&self, task: Box<dyn Task>) {
        // If the thread has ended, the reply is dropped with the task.
        if let Some(queue) = &self.queue {
            let _ = queue.send(task);
        }
    }

    fn has_ended(&self) -> StateError {
        error::unusable(StateErrorKind::Other, &self.folder, "is closed")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // An error means that the thread panicked, and nobody is left to be told.
            let _ = thread.join();
        }
    }
}

/// Work to do in a transaction.
trait Task: Send {
    fn is_durable(&self) -> bool;

    /// Does the work, and keeps the result until the transaction is committed.
    fn run(&mut self, session: &mut Session<'_>) -> Result<(), StateError>;

    /// Sends the result, or the error if the transaction failed.
    fn answer(self: Box<Self>, committed: Result<(), StateError>);
}

struct Call<W, T, F, A> {
    durable: bool,
    work: W,
    done: Option<T>,
    /// Makes the answer of the result, once that is committed.
    finish: F,
    reply: oneshot::Sender<Result<A, StateError>>,
}

impl<T, A, W, F> Task for Call<W, T, F, A>
where
    T: Send,
    A: Send,
    W: FnMut(&mut Session<'_>) -> Result<T, StateError> + Send,
    F: FnOnce(T) -> A + Send,
{
    fn is_durable(&self) -> bool {
        self.durable
    }

    fn run(&mut self, session: &mut Session<'_>) -> Result<(), StateError> {
        self.done = Some((self.work)(session)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StateError>) {
        let ended = || StateError::new(StateErrorKind::Other, "the state is closed");
        let Self {
            done,
            finish,
            reply,
            ..
        } = *self;
        let done = committed.and_then(|()| done.ok_or_else(ended));
        // Nobody waits if the future was dropped.
        let _ = reply.send(done.map(finish));
    }
}

/// A result on its way to the caller. If it is dropped before it has arrived, it is undone.
struct Unclaimed<T: Send + 'static> {
    done: Option<T>,
    undo: fn(&Session<'_>, &T) -> Result<(), StateError>,
    queue: Option<Sender<Box<dyn Task>>>,
}

impl<T: Send> Unclaimed<T> {
    fn take(mut self) -> Option<T> {
        self.done.take()
    }
}

impl<T: Send> Drop for Unclaimed<T> {
    fn drop(&mut self) {
        if let (Some(done), Some(queue)) = (self.done.take(), &self.queue) {
            let undo = self.undo;
            let (reply, _) = oneshot::channel();
            // If the thread has ended, its claims have ended with the process's lock.
            let _ = queue.send(Box::new(Call {
                durable: false,
                work: move |session: &mut Session<'_>| undo(session, &done),
                done: None,
                finish: |()| (),
                reply,
            }));
        }
    }
}

fn run(mut database: Database, tasks: &Receiver<Box<dyn Task>>) {
    let mut others = false;
    while let Ok(first) = tasks.recv() {
        if others {
            std::thread::sleep(LINGER);
        }
        let mut batch = vec![first];
        batch.extend(tasks.try_iter().take(BATCH - 1));
        others = batch.len() > 1;
        commit(&mut database, batch);
    }
    if let Err(error) = database.close() {
        tracing::debug!(%error, "the state could not be closed: {error}");
    }
}

/// Does the queued work in one transaction, which is synced to disk at most once. If that fails,
/// does each task in its own transaction, so that one failure does not affect the others.
fn commit(database: &mut Database, mut batch: Vec<Box<dyn Task>>) {
    let committed = attempt(database, &mut batch);
    if committed.is_err() && batch.len() > 1 {
        for task in batch {
            let mut one = vec![task];
            let committed = attempt(database, &mut one);
            answer(one, &committed);
        }
    } else {
        answer(batch, &committed);
    }
}

fn attempt(database: &mut Database, batch: &mut [Box<dyn Task>]) -> Result<(), StateError> {
    let durable = batch.iter().any(|task| task.is_durable());
    database.transaction(durable, |session| {
        batch.iter_mut().try_for_each(|task| task.run(session))
    })
}

fn answer(batch: Vec<Box<dyn Task>>, committed: &Result<(), StateError>) {
    for task in batch {
        task.answer(committed.clone());
    }
}
