//! The wait for a job until its archive can be downloaded.

use tokio::time::Instant;
use tulip_core::ResourceUrl;

use super::start::Started;
use crate::context::Context;
use crate::poll::{Complete, PollState, Poller};
use crate::{Event, ExportError};

/// An archive that can be downloaded.
pub(crate) struct Ready {
    pub(super) started: Started,
    pub(super) resource: ResourceUrl,
}

pub(super) async fn wait(cx: &mut Context, started: Started) -> Result<Ready, ExportError> {
    let began = Instant::now();
    let setup = &cx.setup;
    let mut poller = Poller::new(&setup.client, started.job.clone(), setup.poll);
    loop {
        match poller.advance().await? {
            PollState::Complete(Complete { resource, .. }) => {
                cx.emit(Event::Complete {
                    waited: began.elapsed(),
                });
                return Ok(Ready { started, resource });
            }
            PollState::InProgress { status, unknown } => cx.emit(Event::Waiting {
                status: &status,
                unknown,
                waited: began.elapsed(),
            }),
            PollState::Failing(error) => cx.emit(Event::WaitFailing { error: &error }),
        }
    }
}
